"""Init states: what a run or session knew at its end, as a file from which another starts (OC-50, OC-71).

init_state.py   the file: what is in it, strictly read
start.py        what a run or session starts from: checked against this build, given to a kernel
export.py       the end of a run or paper session as a file: made again first, compared with its record
states.py       the states that a home has imported
"""
