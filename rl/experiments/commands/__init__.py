"""Commands of the front door, a module each: what they are told, checked without TensorFlow."""
