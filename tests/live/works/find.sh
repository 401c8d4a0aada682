# Trees looked through: find, grep -r, du, wc, sort, md5sum, with symbolic links to files and directories.
prepare() {
	mkdir -p tree/a/b/c tree/d other
	for n in 1 2 3 4 5 6 7; do
		seq $((n * 500)) >tree/a/text$n
		seq $((n * 90)) >tree/a/b/c/text$n
		head -c $((n * 30001)) /dev/urandom >tree/d/data$n
		ln -s ../a/text$n tree/d/link$n
	done
	seq 20000 >other/long
	ln -s ../../../other tree/a/b/there
	ln -s nowhere tree/a/dangling
}
work() {
	find tree -type f -size +4k -name 'text*' -newer tree/a/text1
	find -L tree -name long -exec wc {} +
	grep -r 12345 tree
	grep -R -l 499 tree
	du -a tree
	cat tree/d/link3 tree/a/b/there/long >joined
	sort -n -S 100k -T . joined >sorted
	uniq -c sorted | tail -n 3
	md5sum tree/d/* tree/a/b/there/long
	head -c 5000 tree/d/data5
	tail -c 5000 tree/d/data5
	tail -n 20 other/long
	split -b 20000 other/long part-
	cat part-* | cmp - other/long
	ls -lR tree
}
