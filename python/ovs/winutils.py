"""Nothing: this package is not for Windows."""
raise ImportError("ovs.winutils is for Windows only")
