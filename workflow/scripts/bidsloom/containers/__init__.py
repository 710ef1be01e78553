"""The image, and how a runtime is called.

image     which image it is, by its content
runtimes  the call formats, and what an app sees of the machine
"""
