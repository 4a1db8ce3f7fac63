"""What is done with an item: one folder per stage, in the order the item meets them."""
