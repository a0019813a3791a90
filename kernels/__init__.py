"""Fast array functions: arrays in, arrays out. They know nothing of tensors, graphs or layers."""

OWNER = "minidl"  # another package of this name exists: who imports this one can tell by it
