import gevent
import gevent.monkey

gevent.monkey.patch_all()

import green  # noqa: E402

green.run(gevent.spawn, gevent.sleep)
