"""What ready-made sets measure besides the loss: a module each, with its `Extra`."""
