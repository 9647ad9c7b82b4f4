#!/bin/sh
# The remote machine. Runs as the first process of its own mount, network, PID, IPC and UTS namespaces. Makes
# a root file system with this system's programs and the shared directory, and runs containerd in it. Nothing
# else of the executor is visible there.
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
# The shared directory is the only one that has the same path for the executor and the daemon.
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
# Plain TCP as in the Lima VM. It listens on this namespace's loopback, so only forwarded connections arrive.
socat TCP-LISTEN:2500,bind=127.0.0.1,reuseaddr,fork "UNIX-CONNECT:$directory/containerd.sock" &
containerd --config "$directory/config.toml" &
# The shims' processes become children of this shell, which reaps them.
wait $!
