"""What programs rely on: driven as they drive us, read by documented fields only."""
