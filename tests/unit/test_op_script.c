// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The op script parser: what a script means, and which ones are refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "workloads/op_script.h"

static int parse(const char *text, struct op_script *script)
{
	return op_script_parse("test.ops", text, strlen(text), script);
}

static void test_ops(void **state)
{
	static const char text[] = "# a comment\n"
				   "file a 2M\n"
				   "file b\n"
				   "open a direct\n"
				   "sleep 1s\n"
				   "sleep 200ms\n"
				   "@35ms read a 4k 100 buffer=512 # another\n"
				   "open b create\n"
				   "write b 0 32M\n"
				   "close b\n"
				   "unlink b\n"
				   "dropcaches";
	struct op_script s;

	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(s.nr_files, 2);
	assert_int_equal(s.files[0].size_bytes, 2 << 20);
	assert_int_equal(s.nr_lines, 7);
	assert_int_equal(s.lines[0].op.flags, OP_DIRECT);
	assert_int_equal(s.lines[1].number, 7);
	assert_int_equal(s.lines[1].op.type, OP_READ);
	assert_int_equal(s.lines[1].op.flags, OP_DIRECT);
	assert_int_equal(s.lines[1].op.offset_bytes, 4096);
	assert_int_equal(s.lines[1].op.size_bytes, 100);
	assert_int_equal(s.lines[1].op.buffer_offset, 512);
	assert_int_equal(s.lines[1].op.think_ns, 1200000000);
	assert_int_equal(s.lines[1].op.not_before_ns, 35000000);
	assert_int_equal(s.lines[2].op.flags, OP_CREATES);
	assert_int_equal(s.lines[2].op.think_ns, 0);
	assert_int_equal(s.lines[3].op.flags, 0);
	assert_int_equal(s.lines[6].op.type, OP_DROP_CACHES);
	op_script_free(&s);
}

static void test_memory(void **state)
{
	static const char text[] = "file a 10000\n"
				   "open a\n"
				   "fadvise a sequential\n"
				   "write a 10000 10000\n"
				   "mmap a\n"
				   "madvise a dontneed\n"
				   "mread a 16k 100\n"
				   "close a\n"
				   "mwrite a 0 20480\n"
				   "msync a\n"
				   "msync a 4k 1\n"
				   "munmap a\n"
				   "open a\n"
				   "mmap a 4k 1M private\n"
				   "unlink a\n"
				   "mread a 4k 1\n";
	struct op_script s;

	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(s.nr_lines, 15);
	assert_int_equal(s.lines[1].op.flags, OP_HINT_SEQUENTIAL);
	assert_int_equal(s.lines[3].op.type, OP_MMAP);
	assert_int_equal(s.lines[3].op.size_bytes, 20000);
	assert_int_equal(s.lines[4].op.flags, OP_INVALIDATE);
	assert_int_equal(s.lines[5].op.type, OP_MMAP_FAULT);
	assert_int_equal(s.lines[5].op.flags, 0);
	assert_int_equal(s.lines[7].op.flags, OP_FAULT_WRITE);
	assert_int_equal(s.lines[7].op.size_bytes, 20480);
	assert_int_equal(s.lines[8].op.size_bytes, 0);
	assert_int_equal(s.lines[9].op.offset_bytes, 4096);
	assert_int_equal(s.lines[12].op.flags, OP_MAP_PRIVATE);
	assert_int_equal(s.lines[12].op.size_bytes, 1 << 20);
	op_script_free(&s);
}

/* Tasks in the order of their first lines; each has its own open files, pauses and ops. */
static void test_tasks(void **state)
{
	static const char text[] = "file a 1M\n"
				   "stat a\n"
				   "b: open a\n"
				   "open a direct\n"
				   "b: sleep 1s\n"
				   "read a 0 4k\n"
				   "@5ms b: read a 0 4k\n"
				   "b: close a\n"
				   "read a 0 4k\n";
	struct workload_op op;
	struct workload *w;
	struct op_script s;

	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(s.nr_tasks, 2);
	assert_string_equal(s.tasks[1], "b");
	assert_int_equal(s.lines[3].task, 0);
	assert_int_equal(s.lines[3].op.flags, OP_DIRECT);
	assert_int_equal(s.lines[3].op.think_ns, 0);
	assert_int_equal(s.lines[4].task, 1);
	assert_int_equal(s.lines[4].op.flags, 0);
	assert_int_equal(s.lines[4].op.think_ns, 1000000000);
	assert_int_equal(s.lines[4].op.not_before_ns, 5000000);
	assert_int_equal(op_script_to_workload(&s, &w), 0);
	assert_int_equal(w->nr_tasks, 2);
	assert_string_equal(w->tasks[0].job, "script");
	assert_string_equal(w->tasks[1].job, "b");
	for (int i = 0; i < 3; i++)
		assert_int_equal(w->tasks[1].stream->next(w->tasks[1].stream, 0, &op),
				 OP_STREAM_OP);
	assert_int_equal(op.type, OP_CLOSE);
	assert_int_equal(w->tasks[1].stream->next(w->tasks[1].stream, 0, &op), OP_STREAM_END);
	workload_free(w);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"file a\n",
		"dropcaches\n",
		"file a 2T\nstat a\n",
		"file a 1\nopen a\nread a 1T 1\n",
		"open a\n",
		"file a\nopen a\n",
		"file a 1\nopen a create\n",
		"file a 1\nopen a\nopen a\n",
		"file a 1\nopen a quickly\n",
		"file a 1\nread a 0 1\n",
		"file a 1\nopen a\nread a 0\n",
		"file a 1\nopen a\nread a 0 0\n",
		"file a 1\nopen a\nread a 0 33M\n",
		"file a 1\nopen a\nread a -1 1\n",
		"file a 1\nopen a\nread a 0 1 buffer=4096\n",
		"file a 1\nopen a\nunlink a\nopen a create\n",
		"file a 1\nopen a\nunlink a\nstat a\n",
		"file a\nopen a create\nmmap a\n",
		"file a 1\nmmap a\n",
		"file a 8k\nopen a\nmmap a 1k 4k\n",
		"file a 8k\nopen a\nmmap a\nmmap a\n",
		"file a 8k\nopen a\nmmap a\nmread a 4k 4097\n",
		"file a 8k\nopen a\nmmap a 4k 4k\nmwrite a 0 1\n",
		"file a 8k\nopen a\nmmap a 0 16k\nmread a 8k 1\n",
		"file a 8k\nopen a\nmread a 0 1\n",
		"file a 8k\nopen a\nmmap a\nmsync a 1 1\n",
		"file a 8k\nopen a\nmmap a\nmunmap a\nmsync a\n",
		"file a 8k\nopen a\nmmap a\nclose a\nopen a\n",
		"file a 8k\nopen a\nmmap a\nmadvise a soon\n",
		"file a 8k\nfadvise a random\n",
		"file a 8k\ntruncate a 4k\n",
		"file a 8k\nopen a\ntruncate a\n",
		"file a 8k\nopen a\nmmap a\ntruncate a 4k\nmread a 4k 1\n",
		"file a 1\nunlink a\nstat a\n",
		"file a 1\nfile a 1\n",
		"file ../a 1\nstat ../a\n",
		"file a x\n",
		"sleep 5\n",
		"sleep -5s\n",
		"@ stat a\n",
		"@5ms\n",
		"frobnicate a\n",
		": stat a\n",
		"file a 1\nb:\n",
		"file a 1\nb: open a\nread a 0 1\n",
		"file a 1\nopen a\nb: unlink a\nb: open a create\n",
		"dropcaches now\n",
		"a b c d e f g h i j\n",
	};
	struct op_script s;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (parse(texts[i], &s) != -EINVAL)
			fail_msg("'%s' is not refused", texts[i]);
		assert_null(s.lines);
	}
	assert_int_equal(op_script_parse("t", "stat \0a\n", 8, &s), -EINVAL);
	assert_int_equal(op_script_read("/nonexistent/a.ops", &s), -ENOENT);
}

static void test_names(void **state)
{
	static const char text[] = "dir d\nfile d/a 4k\nfile b 8k\n"
				   "open d/a\n"
				   "rename d e\n" /* the open file goes by its old name */
				   "read d/a 0 1\n"
				   "stat e/a\n"
				   "lookup d/a\n"
				   "link b e/c\n"
				   "rename e/c e/a\n"
				   "symlink l\nreadlink l\nunlink l\n"
				   "mkdir e/f\nreaddir e/f 4k\nrmdir e/f\n"
				   "readdir .\nstatfs .\nchmod e\nutimes b\n"
				   "close d/a\nsync\numount\nmount\nstat e/a\n";
	static const enum op_type types[] = {
		OP_OPEN,   OP_RENAME,  OP_READ,	    OP_STAT,   OP_LOOKUP, OP_LINK,
		OP_RENAME, OP_SYMLINK, OP_READLINK, OP_UNLINK, OP_MKDIR,  OP_READDIR,
		OP_RMDIR,  OP_READDIR, OP_STATFS,   OP_CHMOD,  OP_UTIMES, OP_CLOSE,
		OP_SYNC,   OP_UMOUNT,  OP_MOUNT,    OP_STAT,
	};
	const struct op_script_line *lines;
	struct op_script s;

	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(s.nr_lines, sizeof(types) / sizeof(types[0]));
	lines = s.lines;
	for (uint32_t i = 0; i < s.nr_lines; i++)
		assert_int_equal(lines[i].op.type, types[i]);
	assert_int_equal(s.files[0].type, FILE_DIRECTORY);
	assert_int_equal(lines[2].op.file, lines[0].op.file);
	assert_string_equal(s.files[lines[3].op.file].name, "e/a");
	/* link: the new name first */
	assert_string_equal(s.files[lines[5].op.file].name, "e/c");
	assert_string_equal(s.files[lines[5].op.file2].name, "b");
	assert_string_equal(s.files[lines[6].op.file2].name, "e/a");
	assert_int_equal(lines[11].op.size_bytes, 4096);
	assert_int_equal(lines[13].op.size_bytes, 0);
	op_script_free(&s);
}

static void test_names_refused(void **state)
{
	static const char *const texts[] = {
		"file d/a 1\n", /* no directory */
		"dir d\ndir d\n",
		"dir d 5\nstat d\n",
		"dir d\nopen d\n",
		"dir d\nmkdir d\n",
		"mkdir a/b\n",
		"mkdir a/../b\n",
		"mkdir /a\n",
		"mkdir a/\n",
		"mkdir .\n",
		"dir d\nfile d/a 1\nrmdir d\n",
		"file a 1\nrmdir a\n",
		"dir d\nunlink d\n",
		"dir d\nrename d d\n",
		"dir d\nrename d d/e\n",
		"dir d\nfile a 1\nrename d a\n",
		"dir d\nfile a 1\nrename a d\n",
		"dir d\ndir e\nfile e/a 1\nrename d e\n",
		"file a 1\nfile b 1\nopen b\nrename a b\n",
		"file a 1\nrename a d/a\n",
		"file a 1\nrename a\n",
		"file a 1\nrename . b\n",
		"dir d\nlink d e\n",
		"file a 1\nlink a a\n",
		"readlink a\n",
		"file a 1\nreadlink a\n",
		"symlink l\nopen l\n",
		"symlink l ../a\nstat l follow\n", /* out of the share */
		"symlink l l\nstat l follow\n",
		"symlink l m\nsymlink m l\nstat l/a\n",
		"symlink l a/../b\n",
		"symlink l ..\n",
		"symlink l /../a\n",
		"symlink l a b\n",
		"symlink l a\nstat l follow\n", /* leads to nothing */
		"file a 1\nsymlink l a\nsymlink l a\n",
		"file a 1\nsymlink l a\nopen l create\n",
		"dir d\nsymlink l d\nopen l\n",
		"dir d\nsymlink l d\nrmdir l\n",
		"dir d\nfile d/a 1\nsymlink l d\nmkdir l/a\n",
		"dir d\nsymlink l d\nrename d l/d\n", /* to below itself */
		"file a 1\nstat a nofollow\n",
		"dir d\nfile d/a 1\nlink d/a d/b\nrename d/a d/b\nunlink d/b\nrmdir d\n",
		"file a 1\nreaddir a\n",
		"dir d\nreaddir d 4\n",
		"file a 1\nopen a\nrename a b\nmkdir a\n",
		"umount\nsync\n",
		"umount\nlookup a\n",
		"mount\n",
		"sync now\n",
		"file a 1\nopen a\numount\n",
		"lookup a\nfile b 1\n",
	};
	struct op_script s;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (parse(texts[i], &s) != -EINVAL)
			fail_msg("'%s' is not refused", texts[i]);
}

/* By way of links all that they lead to can be used, and is what its own name says. */
static void test_links(void **state)
{
	static const char text[] = "dir d\ndir e\nfile d/a 8k\n"
				   "symlink e/up ../d\nsymlink root /e/up\nsymlink l root/a\n"
				   "symlink new d/b\nsymlink no\n"
				   "open l\nmmap l\nmread l 4k 4k\n"
				   "open e/up/a\nread e/up/a 0 4k\n"
				   "open new create\nwrite new 0 4k\nclose new\nstat d/b\n"
				   "rename root/b e/up/c\nunlink d/c\n"
				   "readdir root\nstat e/up follow\nstat e/up\nreadlink no\n"
				   "rename e/up e/moved\nlookup root\n"
				   "rename e/moved e/up\nstat l follow\n";
	struct op_script s;
	const struct op_script_line *lines;

	assert_int_equal(parse(text, &s), 0);
	lines = s.lines;
	assert_string_equal(s.files[lines[0].op.file2].name, "../d");
	assert_string_equal(s.files[lines[1].op.file2].name, "/e/up");
	assert_string_equal(s.files[lines[4].op.file2].name, "nowhere");
	/* The name is what is written, and that it is another's is known. */
	assert_string_equal(s.files[lines[5].op.file].name, "l");
	assert_true(lines[5].by_link && lines[7].by_link && lines[9].by_link);
	assert_false(lines[0].by_link);
	assert_int_equal(lines[17].op.flags, OP_FOLLOWS);
	assert_int_equal(lines[18].op.flags, 0);
	op_script_free(&s);
}

/* rename(2) of one name of a file to another does nothing. */
static void test_names_of_one_file(void **state)
{
	struct op_script s;

	assert_int_equal(parse("dir d\nopen d/a create\nclose d/a\nlink d/a b\nrename d/a b\n"
			       "open d/a\nunlink b\n",
			       &s),
			 0);
	op_script_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ops),   cmocka_unit_test(test_memory),
		cmocka_unit_test(test_tasks), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_names), cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_links), cmocka_unit_test(test_names_of_one_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
