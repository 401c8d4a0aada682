# dd(1): streams of several block sizes; files made anew, written in place, appended to and cut off.
prepare() {
	head -c 2000000 /dev/urandom >there
	head -c 700000 /dev/urandom >over
	head -c 10001 /dev/urandom >log
}
work() {
	dd if=/dev/zero of=new bs=64k count=20
	dd if=there of=/dev/null bs=4k
	dd if=there of=/dev/null bs=200k
	dd if=new of=copy bs=10000
	dd if=/dev/zero of=over bs=3000 count=50
	dd if=over of=/dev/null bs=32k
	dd if=/dev/zero of=there bs=5000 count=7 seek=20 conv=notrunc
	dd if=/dev/zero of=log bs=300 count=9 oflag=append conv=notrunc
	dd if=/dev/zero of=log bs=5000 count=3 oflag=append conv=notrunc,fsync
	dd if=there of=/dev/null bs=64k iflag=direct count=10
	dd if=/dev/zero of=copy bs=64k count=5 oflag=direct conv=notrunc
	dd if=/dev/zero of=new bs=4k count=4 seek=2
	dd if=new of=/dev/null bs=4k
}
