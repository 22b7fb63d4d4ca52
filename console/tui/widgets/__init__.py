"""What the rooms are made of: line-painted panes, tables, bars and plots."""
