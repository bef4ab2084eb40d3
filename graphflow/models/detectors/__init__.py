"""One detector per model family: it knows the family by keys and shapes and reads the sizes of the networks from them."""
