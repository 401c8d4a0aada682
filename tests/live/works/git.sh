# A repository made, filled, changed and packed.
# needs git
prepare() {
	mkdir tree
	for n in 1 2 3 4 5 6 7 8; do
		seq $((n * 300)) >tree/file$n.txt
	done
}
work() {
	export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
	git -c init.defaultBranch=main init -q tree
	cd tree
	git add .
	git -c user.name=n -c user.email=e -c commit.gpgsign=false commit -qm one
	seq 5000 >file3.txt
	echo more >>file4.txt
	git status --short
	git -c user.name=n -c user.email=e -c commit.gpgsign=false commit -qam two
	git log --stat
	git -c gc.auto=0 repack -adq
}
