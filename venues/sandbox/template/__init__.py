"""The template venue: invented, in memory, as little as an adapter can be proved on."""
