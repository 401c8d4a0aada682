// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What programs and command lines tell: versions, build-ids, the options of a VM that matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "trace/program_info.h"
#include "trace/vmm_info.h"

/* A string literal as it lies in a program: with the NUL bytes in it. */
#define DATA(text) text, sizeof(text) - 1

static void versions(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *version;
	} cases[] = {
		{DATA("\0\0virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7)\0more"),
		 "7.2.22 (Debian 1:7.2+dfsg-7)"},
		{DATA("QEMU emulator version 11.1.2 (Debian 1:11.1.2+ds-3)\nCopyright"),
		 "11.1.2 (Debian 1:11.1.2+ds-3)"},
		/* Rust's strings have no end. */
		{DATA("Launch a virtiofsd backend.1.14.0virtiofsd --shared-dir <SHARED_DIR>"),
		 "1.14.0"},
		{DATA("QEMU emulator version %s\0"), ""},
		{DATA("virtiofsd version "), ""},
		{DATA("virtiofsd version 9"), "9"},
		{DATA("virtiofsd versio"), ""},
		{DATA(""), ""},
	};
	char version[65], small[4];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		program_info_find_version(cases[i].data, cases[i].len, version, sizeof(version));
		assert_string_equal(version, cases[i].version);
	}
	program_info_find_version(DATA("virtiofsd version 7.2.22\0"), small, sizeof(small));
	assert_string_equal(small, "7.2");
}

/* The linker writes one for this test; `file` and readelf print the same. */
static void build_id_of_this_program(void **state)
{
	char command[] = "readelf -n /proc/%d/exe 2>/dev/null | sed -n 's/.*Build ID: //p'";
	char line[160], expected[160] = "";
	struct program_info info;
	FILE *out;

	assert_int_equal(program_info_read(&info, "/proc/self/exe"), 0);
	snprintf(line, sizeof(line), command, (int)getpid());
	out = popen(line, "r");
	assert_non_null(out);
	if (fgets(expected, sizeof(expected), out))
		expected[strcspn(expected, "\n")] = '\0';
	pclose(out);
	if (!*expected)
		skip();
	assert_string_equal(info.build_id, expected);
}

static void what_is_no_program(void **state)
{
	char path[] = "/tmp/vfscope-test.XXXXXX";
	struct program_info info;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(program_info_read(&info, path), -22); /* empty */
	/* An ELF header that promises more than there is. */
	assert_int_equal(write(fd, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\76\0", 20), 20);
	assert_int_equal(program_info_read(&info, path), 0);
	assert_string_equal(info.build_id, "");
	assert_string_equal(info.version, "");
	close(fd);
	unlink(path);
	assert_int_equal(program_info_read(&info, path), -2);
	assert_int_equal(program_info_read(&info, "/dev/zero"), -22);
}

static void check_vmm(const char *args, size_t len, const char *name, const char *options)
{
	json_t *object = json_object();
	char *text;

	vmm_describe_args(object, args, len);
	text = json_dumps(json_object_get(object, "options"), JSON_COMPACT);
	assert_string_equal(text, options);
	free(text);
	if (name)
		assert_string_equal(json_string_value(json_object_get(object, "name")), name);
	else
		assert_null(json_object_get(object, "name"));
	json_decref(object);
}

static void options_of_a_vm(void **state)
{
	check_vmm(DATA("qemu\0-name\0guest=web,debug-threads=on\0-enable-kvm\0-smp\0"
		       "4\0-drive\0file=/secret\0"),
		  "web", "[\"-enable-kvm\",\"-smp\",\"4\"]");
	check_vmm(
		DATA("qemu\0-name\0web\0-device\0virtio-net-pci\0-device\0vhost-user-fs-pci,tag=x\0"
		     "-object\0secret,data=1\0-object\0memory-backend-memfd,id=m\0"),
		"web",
		"[\"-device\",\"vhost-user-fs-pci,tag=x\",\"-object\",\"memory-backend-memfd,id="
		"m\"]");
	check_vmm(DATA("qemu\0--accel\0tcg\0-m"), NULL, "[\"--accel\",\"tcg\",\"-m\"]");
	check_vmm(DATA(""), NULL, "[]");
	check_vmm(DATA("qemu"), NULL, "[]");
	check_vmm(DATA("qemu\0-name"), NULL, "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(build_id_of_this_program),
		cmocka_unit_test(what_is_no_program),
		cmocka_unit_test(options_of_a_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
