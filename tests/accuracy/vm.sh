#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm.sh [OPTION...] FAULTLINE BIN OUT [WORKLOAD...]: the suite in a machine of its own, a QEMU guest
# with another kernel than the host's: mglru, cgroup v2, another release. FAULTLINE, BIN and OUT are
# as for run.sh; where run.sh has left inputs and recordings in OUT/work, they are used. Results are
# in OUT/vm, for table.sh.
#   --kernel DEB    a kernel's Debian package (apt-get download linux-image-VERSION-amd64)
#   --mglru         with the multi-generational LRU: /sys/kernel/mm/lru_gen/enabled
#   --memory MIB    the guest's memory (1024)
#   --time SECS     give up after so long (3600)
#   --run 'WORDS'   options for run.sh in the guest (--swap zram --runs 2)
# The guest's processor is emulated: some ten times slower, no KVM needed. Its kernel isolates page
# tables (pti=on), so that every return to a program begins with an empty TLB: accessed bits are then
# set on every first use, as the model has it. The host's root is its root, read only.
# Needs qemu-system-x86, busybox-static, cpio, kmod, xz-utils, e2fsprogs.
# Exit: that of run.sh in the guest; 2 usage, 3 the guest did not come to an end.
set -u
here=$(cd "$(dirname "$0")" && pwd)
kernel='' mglru=0 memory=1024 time=3600 run='--swap zram --runs 2'
usage() {
    sed -n '3,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --mglru) mglru=1; shift; continue ;;
    --*) [ $# -ge 2 ] || usage ;;
    esac
    case $1 in
    --kernel) kernel=$2 ;;
    --memory) memory=$2 ;;
    --time) time=$2 ;;
    --run) run=$2 ;;
    -*) usage ;;
    *) break ;;
    esac
    shift 2
done
[ $# -ge 3 ] && [ -f "$kernel" ] || usage
for tool in qemu-system-x86_64 busybox cpio depmod xz mkfs.ext4 debugfs; do
    command -v $tool >/dev/null || { echo "vm.sh: $tool is missing" >&2; exit 2; }
done
faultline=$(realpath "$1") bin=$(realpath "$2") out=$3
shift 3
mkdir -p "$out/work" || exit 2
out=$(realpath "$out")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The smallest root that can mount the real one: the modules in the order of their dependencies.
initramfs() {
    local version modules name path
    dpkg-deb -x "$kernel" "$work/kernel"
    modules=$(echo "$work"/kernel/usr/lib/modules/* "$work"/kernel/lib/modules/*)
    for path in $modules; do [ -d "$path" ] && modules=$path; done
    version=$(basename "$modules")
    depmod -b "${modules%/lib/modules/*}" "$version" 2>/dev/null
    mkdir -p "$work/initrd"/{bin,mod,proc,sys,dev,root}
    cp "$(command -v busybox)" "$work/initrd/bin/busybox"
    for name in 9pnet_virtio 9p virtio_blk ext4 zram; do
        grep -E "/$name\.ko(\.xz)?:" "$modules/modules.dep" | tr -d : | tr ' ' '\n' | tac |
            while read -r path; do
                name=$(basename "$path" .xz)
                [ -e "$work/initrd/mod/$name" ] && continue
                case $path in
                *.xz) xz -dc "$modules/$path" ;;
                *) cat "$modules/$path" ;;
                esac >"$work/initrd/mod/$name"
                echo "$name" >>"$work/initrd/mod/order"
            done
    done
    cat >"$work/initrd/init" <<END
#!/bin/busybox sh
for word in "proc /proc" "sysfs /sys" "devtmpfs /dev"; do
    busybox mount -t \${word% *} none \${word#* }
done
for name in \$(busybox cat /mod/order); do busybox insmod /mod/\$name; done
busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 root /root
busybox mount -t ext4 -o noatime /dev/vda /root$out
for dir in proc sys dev; do busybox mount --move /\$dir /root/\$dir; done
for dir in tmp run var/tmp; do busybox mount -t tmpfs none /root/\$dir; done
exec busybox chroot /root /bin/bash $out/guest
END
    chmod +x "$work/initrd/init"
    (cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"
}

# The guest's OUT: a disk of its own, with the inputs and recordings there are.
disk() {
    mkdir "$work/disk"
    cp -a "$out/work" "$work/disk/work"
    for path in "$@"; do [ -e "$path" ] && cp "$path" "$work/disk/"; done
    cat >"$work/disk/guest" <<END
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mkdir -p /run/lock
mount -t cgroup2 none /sys/fs/cgroup
mount -t tracefs none /sys/kernel/tracing
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
[ -e /sys/kernel/mm/lru_gen/enabled ] && echo $((mglru * 7)) >/sys/kernel/mm/lru_gen/enabled
bash $here/run.sh $run $faultline $bin $out $workloads >$out/log 2>&1
echo \$? >$out/status
sync
mount -o remount,ro $out
echo o >/proc/sysrq-trigger
sleep 60
END
    truncate -s 2G "$work/disk.img"
    mkfs.ext4 -q -d "$work/disk" "$work/disk.img"
}

workloads=$*
initramfs || exit 2
disk "$out"/costs.vm.* || exit 2
timeout -k 10 "$time" qemu-system-x86_64 -accel tcg -cpu max,pcid=off,la57=off,smap=off,smep=off \
    -m "$memory" -nographic -no-reboot -net none -kernel "$work"/kernel/boot/vmlinuz-* \
    -initrd "$work/initrd.gz" -append "console=ttyS0 quiet panic=-1 pti=on nokaslr mitigations=off" \
    -drive file="$work/disk.img",format=raw,if=virtio,cache=unsafe \
    -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
    >"$work/console" 2>&1 </dev/null
e2fsck -fy "$work/disk.img" >/dev/null 2>&1 # where the guest was given up
mkdir -p "$out/vm"
for name in $(debugfs -R 'ls -p /' "$work/disk.img" 2>/dev/null | cut -d/ -f6 | grep -E '\.json$|\.log$|^costs|^log$|^status$'); do
    debugfs -R "dump /$name $out/vm/$name" "$work/disk.img" 2>/dev/null
done
cat "$out/vm/log" 2>/dev/null || tail -5 "$work/console"
[ -s "$out/vm/status" ] || exit 3
exit "$(cat "$out/vm/status")"
