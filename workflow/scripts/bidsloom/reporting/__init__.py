"""Say what became of every unit: states, status, report, messages.

awaited        for which results of other studies units wait
causes         failures put together by cause
crashes        what crash files of nipype say, put together
live_status    the state of every unit while jobs run
notifications  messages when a run has ended
report         the tables
processing_status  the table of nipoppy and Neurobagel
report_page    the page
sizing         what jobs should ask for, and what the study will take
sizing_words   that in words
status_text    the status in words
unit_pages     copies of units' own pages, which the report opens
unit_states    the state of every unit, from records
"""
