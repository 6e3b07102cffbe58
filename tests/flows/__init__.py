"""The paths of Miso, told as stories on the wire: a controller, the pretend world, and people."""
