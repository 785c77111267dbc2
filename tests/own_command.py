"""Stands in for a run in tests of what starts processes: `DESCRIPTOR fail | wait`, or
`DESCRIPTOR variables NAME ...`, of its environment."""

import os
import signal
import sys
import threading
import time

from rl.attended import watch


def stop(number, frame):
    del number, frame
    print("asked to stop", flush=True)
    sys.exit(0)


if __name__ == "__main__":
    if sys.argv[2] == "variables":
        print(*(os.environ[name] for name in sys.argv[3:]))
    elif sys.argv[2] == "fail":
        print("no")
        sys.exit(9)
    else:
        signal.signal(signal.SIGTERM, stop)
        threading.Thread(target=watch, args=(int(sys.argv[1]),), daemon=True).start()
        print(os.getpid(), flush=True)
        time.sleep(60)
