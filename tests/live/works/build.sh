# make(1) and gcc: sources and headers in directories, an archive, a program linked, then built again in part.
prepare() {
	mkdir -p src/inc src/lib
	for n in 1 2 3 4 5 6; do
		echo "int f$n(int);" >src/inc/f$n.h
		{
			echo "#include <stdio.h>"
			echo "#include \"../inc/f$n.h\""
			echo "static const char text$n[$((n * 3000))] = \"f$n\";"
			echo "int f$n(int x) { return printf(\"%s %d\", text$n, x); }"
		} >src/lib/f$n.c
	done
	{
		for n in 1 2 3 4 5 6; do
			echo "#include \"inc/f$n.h\""
		done
		echo "int main(void) { return f1(1) + f2(2) + f3(3) + f4(4) + f5(5) + f6(6) < 0; }"
	} >src/main.c
	cat >src/Makefile <<-'END'
		.RECIPEPREFIX = >
		OBJ = $(patsubst %.c,%.o,$(wildcard lib/*.c))
		prog: main.o libf.a
		> $(CC) -g -o $@ $^
		libf.a: $(OBJ)
		> rm -f $@ && ar rc $@ $^
		%.o: %.c
		> $(CC) -g -O1 -MMD -c -o $@ $<
		-include $(OBJ:.o=.d) main.d
	END
}
work() {
	export TMPDIR=/tmp
	make -s -C src prog
	src/prog
	touch src/inc/f3.h
	echo '/* changed */' >>src/lib/f5.c
	make -s -C src prog
	src/prog
	strip -o src/stripped src/prog
}
