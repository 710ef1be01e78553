"""Take all results of a withdrawn subject out of the output stores.

erase      the flow: look, refuse, take out, report
person     by which names a subject is known
traces     what a dataset's store holds of a subject, and of that what others use too
take_out   its files out of main, its branches out of the store
content    its content out of the store, and the location logs
leftovers  its files in results/<study>/ and in the scratch space
remains    what still names it afterwards: history, reflogs, clones
renewal    branches without its history, and the commands that make a store of them
"""
