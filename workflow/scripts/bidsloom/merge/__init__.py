"""Job branches into main.

about_results    what a study knows of its results
accept           results that are not complete, merged as they are
decisions        what is lost, what main holds afterwards, which branches go; pure
describe         the descriptions of the output dataset and of each output, written to main
descriptions     what a description lacks, pure
hold             which results are merged, and which wait because they are not complete
main_contents    what new results write, and what of main they would change
mains            the main branch of each dataset, as found
merge            the flow: look, decide, write, publish
outlines         what results change, in as few entries as can be compared
produced         results of other studies that were read, and what they read of these
publish          main and location logs to the stores
remove_branches  job branches that are merged
weave            the decision, pure
write_main       commits by plumbing
"""
