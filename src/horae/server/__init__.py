"""A page on this machine that shows runs while they train: it reads run directories, and writes nothing anywhere.

    finding   which directories hold runs; what lies elsewhere is not reached
    tail      a log read on from where the last look ended
    fold      what is known of one arm, event by event
    watch     every run: its folds, and whether it is running
    views     what the page shows of it: numbers for pictures, words and tables for people
    guard     who is answered, and with which headers
    app       addresses
    serving   the socket, and the end

Only `app` and `serving` need Starlette and uvicorn (`pip install "horae[serve]"`).
"""
