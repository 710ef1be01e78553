"""The image, and how a runtime is called.

image     which image it is, identified by its content
runtimes  the call formats, and what an app can see of the machine
"""
