"""What people must look at: cases."""
