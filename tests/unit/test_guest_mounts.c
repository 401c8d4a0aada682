// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounts out of mountinfo: only virtio-fs, with odd paths and optional fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "trace/guest_mounts.h"

static int read_text(struct guest_mounts *mounts, const char *text)
{
	char path[] = "/tmp/vfscope-mountinfo-XXXXXX";
	int fd = mkstemp(path), err;
	FILE *file;

	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	err = guest_mounts_read(mounts, path);
	unlink(path);
	return err;
}

static void only_virtiofs_is_taken(void **state)
{
	struct guest_mounts m;

	assert_int_equal(read_text(&m,
				   "25 1 0:22 / / ro,relatime - virtiofs rootfs ro\n"
				   "26 25 0:23 / /tmp rw,relatime shared:1 - tmpfs t rw,inode64\n"
				   "32 28 0:27 / /mnt/a\\040b\\134c rw shared:3 master:1 - "
				   "virtiofs my\\040tag "
				   "rw,dax\n"
				   "33 28 8:1 / /disk rw - ext4 /dev/virtiofs rw\n"),
			 0);
	assert_int_equal(m.count, 2);
	assert_string_equal(m.mount[0].path, "/");
	assert_int_equal(m.mount[0].conn, 22);
	assert_string_equal(m.mount[1].path, "/mnt/a b\\c");
	assert_string_equal(m.mount[1].tag, "my tag");
	assert_string_equal(m.mount[1].options, "rw,dax");
	assert_string_equal(m.mount[0].mount_options, "ro,relatime");
	assert_string_equal(m.mount[1].mount_options, "rw");
	assert_ptr_equal(guest_mounts_find(&m, 27), &m.mount[1]);
	assert_null(guest_mounts_find(&m, 23));
	guest_mounts_free(&m);
	assert_int_equal(m.count, 0);
}

static void damaged_lines_are_left_out(void **state)
{
	struct guest_mounts m;

	assert_int_equal(read_text(&m, "\nx\n25 1 0:22 / /a ro -\n25 1 0:22 / /a ro - virtiofs\n"
				       "25 1 zero / /a ro - virtiofs tag rw\n - virtiofs tag rw\n"
				       "25 1 0:9 / /b\\0 ro - virtiofs tag rw"),
			 0);
	assert_int_equal(m.count, 1);
	assert_int_equal(m.mount[0].conn, 9);
	guest_mounts_free(&m);
	assert_int_equal(read_text(&m, ""), 0);
	assert_int_equal(m.count, 0);
	assert_int_equal(guest_mounts_read(&m, "/nonexistent"), -ENOENT);
}

static void json_has_what_readers_need(void **state)
{
	struct guest_mount mount = {
		.path = "/p", .tag = "t", .options = "rw", .mount_options = "rw", .conn = 123456};
	struct guest_mounts m = {};
	json_t *array;

	assert_int_equal(guest_mounts_add(&m, &mount), 0);
	array = guest_mounts_json(&m);
	assert_int_equal(json_array_size(array), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(array, 0), "path")),
			    "/p");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(array, 0), "conn")),
			 123456);
	json_decref(array);
	guest_mounts_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_virtiofs_is_taken),
		cmocka_unit_test(damaged_lines_are_left_out),
		cmocka_unit_test(json_has_what_readers_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
