#!/bin/sh
# The other machine's side, run as the first process of its own mount, network, PID, IPC and UTS namespaces: makes a root file system
# that holds this system's programs and the shared directory, nothing else of the executor's, and runs containerd in it.
#
# usage: inside.sh EMPTY_DIRECTORY SHARED_DIRECTORY DIRECTORY_OF_THE_DAEMON [BIN_DIRECTORY]
set -eu
root=$1 shared=$2 directory=$3 bin=${4:-}

mount -t tmpfs -o mode=755 remote "$root"
cd "$root"
for name in usr bin sbin lib lib32 lib64 libx32 etc; do
	if [ -L "/$name" ]; then
		cp -P "/$name" "$name"
	elif [ -d "/$name" ]; then
		mkdir "$name"
		mount --bind "/$name" "$name"
		mount -o remount,bind,ro "$name"
	fi
done
mkdir -p dev sys proc tmp run var/lib opt/bin old ".$shared" ".$directory"
chmod 1777 tmp
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
# A path in the executor's words means the same here: this is the only one that does.
mount --bind "$shared" ".$shared"
if [ -n "$bin" ]; then mount --bind "$bin" opt/bin; fi
pivot_root . old
umount -l /old
rmdir /old
cd /
PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

ip link set lo up
cat >"$directory/config.toml" <<-EOF
	version = 2
	root = "$directory/root"
	state = "$directory/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
	[grpc]
	address = "$directory/containerd.sock"
	[ttrpc]
	address = "$directory/containerd.sock.ttrpc"
	[debug]
	level = "warn"
EOF
# Plain TCP, as in the Lima VM: on the loopback of this network namespace, so that only what is forwarded into it gets here.
socat TCP-LISTEN:2500,bind=127.0.0.1,reuseaddr,fork "UNIX-CONNECT:$directory/containerd.sock" &
containerd --config "$directory/config.toml" &
# The shims' processes become children of this shell, which takes them as they end.
wait $!
