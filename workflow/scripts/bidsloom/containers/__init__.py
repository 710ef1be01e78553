"""The image, and how a runtime is called.

call_ending   what a recorded command does when the app has ended well
image         which image it is, identified by its content
image_labels  what an image says of itself
isolation     what a runtime can keep from an app
runtimes      the call formats, and what an app can see of the machine
"""
