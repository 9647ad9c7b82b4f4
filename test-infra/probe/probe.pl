# Runs in a container and tries what a step should not be able to do. Prints one line an attempt: its name, a tab, what came of it:
# "allowed", the error's name ("EPERM"), or for what is looked at, what is seen.
#
# In perl, because every Debian and Ubuntu has it and it makes any system call; nothing has to be compiled.
# What could hurt a machine is asked for with arguments that no kernel accepts: past the filter and the capabilities they fail with
# another error than EPERM, and that counts as allowed.
use strict;
use warnings;
use Errno ();
use Socket ();

my $arch = machine();
my %NUMBERS = (
    x86_64 => {
        socket => 41, clone => 56, ptrace => 101, syslog => 103, personality => 135, chroot => 161, mount => 165, umount2 => 166,
        swapon => 167, reboot => 169, sethostname => 170, iopl => 172, init_module => 175, quotactl => 179, add_key => 248,
        keyctl => 250, unshare => 272, clock_settime => 227, kexec_load => 246, perf_event_open => 298, open_by_handle_at => 304,
        setns => 308, bpf => 321, userfaultfd => 323, io_uring_setup => 425, setgroups => 116, acct => 163, prctl => 157,
    },
    aarch64 => {
        socket => 198, clone => 220, ptrace => 117, syslog => 116, personality => 92, chroot => 51, mount => 40, umount2 => 39,
        swapon => 224, reboot => 142, sethostname => 161, init_module => 105, quotactl => 60, add_key => 217, keyctl => 219,
        unshare => 97, clock_settime => 112, kexec_load => 104, perf_event_open => 241, open_by_handle_at => 265, setns => 268,
        bpf => 280, userfaultfd => 282, io_uring_setup => 425, setgroups => 159, acct => 89, prctl => 167,
    },
);
my $number = $NUMBERS{$arch} or die "no system call numbers for $arch\n";
my $directory = "/tmp/probe-$$";
mkdir $directory or die "mkdir $directory: $!\n";

# The machine that perl is built for, from its own ELF header.
sub machine {
    open my $file, "<", "/proc/self/exe" or die "/proc/self/exe: $!\n";
    binmode $file;
    read $file, my $header, 20;
    my $machine = unpack "x18 v", $header;
    return $machine == 62 ? "x86_64" : $machine == 183 ? "aarch64" : "machine $machine";
}

sub error_name {
    for my $name (qw(EPERM EACCES EROFS ENOSYS ENOENT EAGAIN ENXIO ENETUNREACH ECONNREFUSED ENODEV EINVAL EAFNOSUPPORT ESRCH EBADF EFAULT)) {
        return $name if exists $!{$name} && $!{$name};
    }
    return "errno " . ($! + 0);
}

sub say_outcome { print "$_[0]\t$_[1]\n" }

# A system call that is allowed when it succeeds, or fails for a reason that comes after every permission.
sub attempt {
    my ($name, $call, @arguments) = @_;
    my $id = $number->{$call};
    return say_outcome($name, "absent") unless defined $id;
    my $result = syscall $id, @arguments;
    my $error = $result < 0 ? error_name() : "allowed";
    say_outcome($name, $error =~ /^(EPERM|EACCES|ENOSYS|EROFS)$/ ? $error : "allowed");
}

# The first path that this kernel has.
sub first { (grep { -e } @_)[0] // "/nowhere" }

sub attempt_open {
    my ($name, $path, $mode) = @_;
    if (!-e $path) { return say_outcome($name, "absent") }
    say_outcome($name, (open my $file, $mode, $path) ? "allowed" : error_name());
}

sub content {
    my ($name, $path) = @_;
    return say_outcome($name, "absent") unless -e $path;
    if (-d $path) {
        opendir my $entries, $path or return say_outcome($name, error_name());
        my @names = grep { !/^\.\.?$/ } readdir $entries;
        return say_outcome($name, @names ? "readable" : "empty");
    }
    open my $file, "<", $path or return say_outcome($name, error_name());
    my $count = sysread $file, my $data, 64;
    say_outcome($name, !defined $count ? error_name() : $count ? "readable" : "empty");
}

# Before anything is opened here.
# This script itself is open, and the directory that is being read.
my @inherited = grep { my $target = readlink $_; defined $target && $target !~ m{/probe\.pl$|^/proc/} } glob "/proc/self/fd/*";
say_outcome("descriptors besides the standard ones", scalar(grep { !m{/[012]$} } @inherited));

# Namespaces and mounts.
attempt("mount a tmpfs", "mount", "none", $directory, "tmpfs", 0, 0);
syscall $number->{umount2}, $directory, 2;
attempt("unmount", "umount2", "/nowhere", 0);
for my $case (["user", 0x10000000], ["mount", 0x00020000], ["network", 0x40000000]) {
    my ($kind, $flag) = @$case;
    # In a child, for this process goes on.
    my $child = fork // die "fork: $!\n";
    if ($child == 0) { exit(syscall($number->{unshare}, $flag) < 0 ? $! + 0 : 0) }
    waitpid $child, 0;
    $! = $? >> 8;
    say_outcome("unshare a $kind namespace", $? == 0 ? "allowed" : error_name());
}
attempt("join a namespace", "setns", -1, 0);
attempt("chroot", "chroot", "/nowhere");
attempt("set the host's name", "sethostname", "probe", 5);

# The kernel.
attempt("load a module", "init_module", 0, 0, 0);
attempt("load a kernel", "kexec_load", 0, 99, 0, 0);
attempt("reboot", "reboot", 0, 0, 0, 0);
attempt("swap", "swapon", "/nowhere", 0);
attempt("set the clock", "clock_settime", 99, 0);
attempt("process accounting", "acct", "/nowhere");
attempt("read the kernel's log", "syslog", 10, 0, 0);
attempt("raise the I/O privilege", "iopl", 99);
attempt("load a BPF program", "bpf", 99, 0, 0);
attempt("count performance events", "perf_event_open", 0, 0, -1, -1, 0);
attempt("open by handle", "open_by_handle_at", -1, 0, 0);
attempt("quotas", "quotactl", 0, 0, 0, 0);
attempt("keyrings", "keyctl", 0, -3, 0);
attempt("add a key", "add_key", "user", "probe", "x", 1, -3);
attempt("userfaultfd", "userfaultfd", 1);
attempt("io_uring", "io_uring_setup", 1, 0);
attempt("turn off address randomisation", "personality", 0x0040000);

# Users.
attempt("set groups", "setgroups", 0, 0);
open my $owned, ">", "$directory/owned";
close $owned;
say_outcome("give a file away", chown(12345, 12345, "$directory/owned") ? "allowed" : error_name());
if (-u "/bin/suid") {
    my $id = qx(/bin/suid -u);
    chomp $id;
    say_outcome("a set-uid program", $id eq "0" ? ($> == 0 ? "was root" : "is root") : "keeps its user");
}

# Devices.
sub device {
    my ($name, $type, $major, $minor) = @_;
    my $path = "$directory/device";
    my $made = qx(/bin/busybox mknod $path $type $major $minor 2>&1);
    if (!-e $path) { return say_outcome($name, $made =~ /not permitted/ ? "EPERM" : $made =~ /denied/ ? "EACCES" : "failed") }
    # O_NONBLOCK: a device without a driver must not keep us.
    say_outcome($name, sysopen(my $file, $path, 2048) ? "allowed" : error_name() =~ /^(ENXIO|ENODEV|ENOENT)$/ ? "allowed" : error_name());
    unlink $path;
}
device("a block device of the host's", "b", 7, 0);
device("the kernel's log as a device", "c", 1, 11);
device("the machine's memory", "c", 1, 1);
# /dev/core is a link to /proc/kcore, where the kernel has that: it is tried below.
my @devices = grep { (readlink "/dev/$_" // "") ne "/proc/kcore" } map { s{^/dev/}{}r } glob "/dev/*";
say_outcome("devices in /dev", join " ", sort grep { !/^std/ && (-c "/dev/$_" || -b _) } @devices);

# Files of the kernel.
attempt_open("write to /proc/sys", "/proc/sys/kernel/shmmni", "+<");
attempt_open("write to /proc/irq", "/proc/irq/default_smp_affinity", "+<");
attempt_open("write to the magic system request", "/proc/sysrq-trigger", "+<");
attempt_open("write to /sys", first("/sys/kernel/rcu_expedited", "/sys/kernel/mm/ksm/run", "/sys/kernel/uevent_helper"), "+<");
attempt_open("write to a cgroup", first("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs"), "+<");
content("/proc/kcore", "/proc/kcore");
content("/proc/keys", "/proc/keys");
content("/proc/timer_list", "/proc/timer_list");
content("/proc/interrupts", "/proc/interrupts");
content("/sys/firmware", "/sys/firmware");
open my $score, "+<", "/proc/self/oom_score_adj" or die "/proc/self/oom_score_adj: $!\n";
say_outcome("lower the out-of-memory score", syswrite($score, "-500\n") ? "allowed" : error_name());
close $score;

# Others.
my @processes = grep { m{/\d+$} } glob "/proc/*";
say_outcome("processes seen", scalar(@processes) <= 8 ? "its own" : "more than its own");
open my $cgroups, "<", "/proc/self/cgroup" or die "/proc/self/cgroup: $!\n";
say_outcome("the cgroup's path", (grep { !m{:/$} } <$cgroups>) ? "shown" : "hidden");
close $cgroups;
# PTRACE_SEIZE: it stops nobody, should it succeed.
sub trace {
    my ($name, $process) = @_;
    say_outcome($name, syscall($number->{ptrace}, 0x4206, $process + 0, 0, 0) < 0 ? error_name() : "allowed");
}
sub trace_child {
    my ($name, $dumpable) = @_;
    pipe my $ready, my $tell or die "pipe: $!\n";
    my $child = fork // die "fork: $!\n";
    if ($child == 0) {
        syscall $number->{prctl}, 4, $dumpable, 0, 0, 0;
        syswrite $tell, "x";
        sleep 60;
        exit 0;
    }
    sysread $ready, my $byte, 1;
    trace($name, $child);
    kill 9, $child;
    waitpid $child, 0;
}
# Yama's modes from 2 on leave all of it to administrators.
my $yama = 0;
if (open my $scope, "<", "/proc/sys/kernel/yama/ptrace_scope") { $yama = readline $scope }
if ($yama < 2) { trace_child("trace a child", 1) } else { say_outcome("trace a child", "absent") }
# As one of another user's is, whom only root could make here.
trace_child("trace a process that is not dumpable", 0);
trace("trace a process of the host's", $ENV{PROBE_PROCESS}) if $ENV{PROBE_PROCESS};

# Networks.
say_outcome("interfaces", join(" ", sort map { m{([^/]+)$} } glob "/sys/class/net/*") eq "lo" ? "loopback" : "more");
attempt("a raw socket", "socket", 2, 3, 1);
attempt("a packet socket", "socket", 17, 3, 0);
attempt("a socket of AF_ALG", "socket", 38, 5, 0);
attempt("a socket of AF_VSOCK", "socket", 40, 1, 0);
attempt("a socket of AF_ALG in disguise", "socket", (1 << 32) + 38, 5, 0);
if (my $port = $ENV{PROBE_PORT}) {
    socket my $socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0;
    my $reached = connect $socket, Socket::pack_sockaddr_in($port, Socket::inet_aton("127.0.0.1"));
    say_outcome("the host's loopback", $reached ? "reached" : error_name());
}
if (my $name = $ENV{PROBE_ABSTRACT}) {
    # Who listens may have filled the name up with NULs.
    my $reached;
    for my $path ("\0$name", "\0$name" . "\0" x (107 - length $name)) {
        socket my $socket, Socket::PF_UNIX(), Socket::SOCK_STREAM(), 0;
        $reached ||= connect $socket, Socket::pack_sockaddr_un($path);
    }
    say_outcome("an abstract socket of the host's", $reached ? "reached" : error_name());
}

# Resources. Last: what was forked is waited for, but a limit that does not hold would have many.
if (my $limit = $ENV{PROBE_PIDS}) {
    my @children;
    while (@children < 2 * $limit) {
        my $child = fork;
        last unless defined $child;
        if ($child == 0) { sleep 60; exit 0 }
        push @children, $child;
    }
    say_outcome("fork past the limit", @children < $limit ? "EAGAIN" : "allowed");
    kill 9, @children;
    waitpid $_, 0 for @children;
}
if (my $limit = $ENV{PROBE_MEMORY}) {
    my $child = fork // die "fork: $!\n";
    if ($child == 0) {
        # Whom the kernel is to choose.
        open my $own_score, ">", "/proc/self/oom_score_adj" or die "/proc/self/oom_score_adj: $!\n";
        syswrite $own_score, "1000\n";
        my $eaten = "x" x (2 * $limit);
        exit 0;
    }
    waitpid $child, 0;
    say_outcome("eat memory past the limit", $? == 0 ? "allowed" : $? == 9 ? "killed" : "status $?");
}

unlink "$directory/owned";
rmdir $directory or die "rmdir $directory: $!\n";
