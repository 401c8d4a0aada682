// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a program's file tells of itself: its build-id and, of virtiofsd and QEMU, its version.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "trace/program_info.h"

/*
 * What stands before the version in each program's data: in the --version text of C programs; in
 * Rust's, whose strings have no end, where clap keeps it behind the program's description.
 */
static const char *const markers[] = {
	"virtiofsd version ",
	"QEMU emulator version ",
	"Launch a virtiofsd backend.",
};

static bool is_version_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(".+-~:() ", c));
}

/* A Rust string goes over into the next one: a number there ends with its last digit. */
static size_t version_length(const char *text, size_t len)
{
	size_t n = 0, numbers = 0;

	while (numbers < len && (isdigit((unsigned char)text[numbers]) || text[numbers] == '.'))
		numbers++;
	while (n < len && is_version_char(text[n]))
		n++;
	return n < len && (text[n] == '\0' || text[n] == '\n') ? n : numbers;
}

void program_info_find_version(const char *data, size_t len, char *version, size_t size)
{
	version[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(markers); i++) {
		size_t marker_len = strlen(markers[i]), n;
		const char *at = memmem(data, len, markers[i], marker_len);

		if (!at)
			continue;
		at += marker_len;
		n = version_length(at, len - (size_t)(at - data));
		if (!n || !isdigit((unsigned char)*at)) /* "%s" of another build */
			continue;
		snprintf(version, size, "%.*s", (int)n, at);
		return;
	}
}

static void read_note(Elf_Data *data, char *build_id, size_t size)
{
	size_t at = 0, name, desc;
	GElf_Nhdr note;

	while ((at = gelf_getnote(data, at, &note, &name, &desc))) {
		const unsigned char *id = (const unsigned char *)data->d_buf + desc;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp((const char *)data->d_buf + name, "GNU", sizeof("GNU")))
			continue;
		for (size_t i = 0; i < note.n_descsz && 2 * i + 3 <= size; i++)
			snprintf(build_id + 2 * i, 3, "%02x", id[i]);
		return;
	}
}

static void read_build_id(char *data, size_t len, char *build_id, size_t size)
{
	Elf *elf;
	size_t nr;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return;
	elf = elf_memory(data, len);
	if (!elf || elf_getphdrnum(elf, &nr))
		nr = 0;
	for (size_t i = 0; i < nr && !*build_id; i++) {
		GElf_Phdr phdr;
		Elf_Data *notes;

		if (!gelf_getphdr(elf, (int)i, &phdr) || phdr.p_type != PT_NOTE)
			continue;
		notes = elf_getdata_rawchunk(elf, (int64_t)phdr.p_offset, phdr.p_filesz,
					     phdr.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (notes)
			read_note(notes, build_id, size);
	}
	elf_end(elf);
}

int program_info_read(struct program_info *info, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;
	char *data;

	*info = (struct program_info){};
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		close(fd);
		return -EINVAL;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		err = -errno;
	} else {
		read_build_id(data, (size_t)st.st_size, info->build_id, sizeof(info->build_id));
		program_info_find_version(data, (size_t)st.st_size, info->version,
					  sizeof(info->version));
		munmap(data, (size_t)st.st_size);
	}
	close(fd);
	return err;
}

void program_info_describe(json_t *object, const char *path)
{
	struct program_info info;

	if (program_info_read(&info, path))
		return;
	if (*info.build_id)
		json_object_set_new(object, "build_id", json_string(info.build_id));
	if (*info.version)
		json_object_set_new(object, "version", json_string(info.version));
}
