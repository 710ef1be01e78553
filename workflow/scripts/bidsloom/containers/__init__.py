"""The image, and how a runtime is called.

image      which image it is, identified by its content
isolation  what a runtime can keep from an app
runtimes   the call formats, and what an app can see of the machine
"""
