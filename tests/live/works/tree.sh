# A small tree packed, unpacked, copied, compared and replaced by renames, as rsync(1) does.
prepare() {
	mkdir -p src/a/b
	for n in 1 2 3 4 5 6 7 8 9; do
		head -c $((n * n * 1700)) /dev/urandom >src/f$n
		head -c $((n * 37)) /dev/urandom >src/a/small$n
		head -c $((n * 40960)) /dev/urandom >src/a/b/large$n
	done
}
work() {
	tar -cf t.tar src
	mkdir out
	tar -xf t.tar -C out
	cp -r src copy
	diff -r src copy
	for n in 1 3 5; do
		cp src/a/b/large$n copy/a/b/.large$n.tmp
		mv copy/a/b/.large$n.tmp copy/a/b/large$n
	done
	cp src/f9 copy/f8
	cat copy/f8 >>copy/f9
	grep -r nothing-has-this copy
	rm -r out
}
