import eventlet

eventlet.monkey_patch()

import green  # noqa: E402

green.run(eventlet.spawn, eventlet.sleep)
