//! A blocking etcd v3 client: no async runtime, the calling thread drives the sockets.
