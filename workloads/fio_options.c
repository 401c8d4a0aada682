// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio options, by table. vfscope-job(5) is the same list for people.
 *
 * Number formats are fio's own (3.33): with its default kb_base=1024, k and kb are 1024 and ki and
 * kib are 1000. That is why lib/units is not used for sizes here.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "workloads/fio_options.h"

enum fio_kind {
	FIO_HARMLESS, /* any value: cannot change the result */
	FIO_FIXED, /* only the words in .words, which say what is modelled anyway */
	FIO_BOOL, /* bool */
	FIO_NOT_BOOL, /* bool, inverted */
	FIO_FLAG, /* bool: no value needed */
	FIO_SIZE, /* uint64_t */
	FIO_SIZE_PAIR, /* uint64_t[2]: read,write[,trim] */
	FIO_COUNT_PAIR, /* the same, plain numbers */
	FIO_COUNT, /* uint32_t from .low to .high */
	FIO_COUNT64, /* uint64_t */
	FIO_SECONDS, /* uint64_t ns; a bare number is seconds */
	FIO_MICROSECONDS, /* uint64_t ns; a bare number is microseconds */
	FIO_WORD, /* uint32_t: position in .words, mapped through .map if given */
	FIO_NAME, /* char[FIO_NAME_MAX] */
	FIO_SPECIAL, /* .apply */
};

struct fio_option {
	const char *name;
	const char *alias;
	enum fio_kind kind;
	size_t offset;
	const char *const *words;
	const uint32_t *map;
	uint32_t low, high;
	int (*apply)(struct fio_job *job, const struct fio_line *line);
};

static int bad_value(const struct fio_line *line, const char *why)
{
	msg_error("%s:%u: %s=%s: %s", line->path, line->number, line->name,
		  line->value ? line->value : "", why);
	return -EINVAL;
}

/* Digits, then a word; the word is what follows in *rest. 0, -EINVAL or -ERANGE. */
static int parse_digits(const char *text, uint64_t *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, !strncasecmp(text, "0x", 2) ? 16 : 10);
	if (errno)
		return -ERANGE;
	*rest = end;
	return 0;
}

static int fio_size(const char *text, uint64_t *bytes)
{
	static const char letters[] = "kmgtp";
	uint64_t scale = 1, value, base;
	const char *s, *letter;
	int err;

	err = parse_digits(text, &value, &s);
	if (err)
		return err;
	letter = *s ? strchr(letters, tolower((unsigned char)*s)) : NULL;
	if (letter) {
		base = tolower((unsigned char)s[1]) == 'i' ? 1000 : 1024;
		for (int i = 0; i <= letter - letters; i++)
			scale *= base;
		s += base == 1000 ? 2 : 1;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	if (*s)
		return -EINVAL;
	return __builtin_mul_overflow(value, scale, bytes) ? -ERANGE : 0;
}

static int fio_time(const char *text, uint64_t bare_ns, uint64_t *ns)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} units[] = {
		{"us", NS_PER_US},	    {"usec", NS_PER_US},      {"ms", 1000 * NS_PER_US},
		{"msec", 1000 * NS_PER_US}, {"s", NS_PER_SEC},	      {"sec", NS_PER_SEC},
		{"m", 60 * NS_PER_SEC},	    {"h", 3600 * NS_PER_SEC}, {"d", 86400 * NS_PER_SEC}};
	uint64_t value;
	const char *s;
	int err;

	err = parse_digits(text, &value, &s);
	if (err)
		return err;
	for (size_t i = 0; *s && i < ARRAY_SIZE(units); i++)
		if (!strcasecmp(s, units[i].word)) {
			bare_ns = units[i].ns;
			s = "";
		}
	if (*s)
		return -EINVAL;
	return __builtin_mul_overflow(value, bare_ns, ns) ? -ERANGE : 0;
}

static int fio_number(const char *text, uint64_t *value)
{
	const char *rest;
	int err = parse_digits(text, value, &rest);

	return err ? err : *rest ? -EINVAL : 0;
}

/* "8k", "4k,8k", ",8k", "4k,8k,": an empty place keeps what was there. The third is for trims. */
static int apply_pair(const struct fio_line *line, uint64_t pair[FIO_NR_DIRS],
		      int (*parse)(const char *, uint64_t *))
{
	char buf[64], *next = buf, *word;
	uint64_t value;
	int n;

	if (strlen(line->value) >= sizeof(buf))
		return bad_value(line, "too long");
	strcpy(buf, line->value);
	for (n = 0; (word = strsep(&next, ",")); n++) {
		if (n > 2)
			return bad_value(line, "more than three values: write READ,WRITE");
		while (isspace((unsigned char)*word))
			word++;
		if (!*word)
			continue;
		if (parse(word, &value))
			return bad_value(line, "not a number fio would take (4k, 4096, 4k,8k)");
		if (n < FIO_NR_DIRS)
			pair[n] = value;
		if (!n && !next)
			pair[FIO_WRITE] = value;
	}
	return 0;
}

static int apply_bool(const struct fio_line *line, bool *value, bool invert)
{
	const char *v = line->value;

	if (!strcmp(v, "1") || !strcasecmp(v, "true"))
		*value = !invert;
	else if (!strcmp(v, "0") || !strcasecmp(v, "false"))
		*value = invert;
	else
		return bad_value(line, "write 0 or 1");
	return 0;
}

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -ENOENT;
}

static int refuse_word(const struct fio_line *line, const char *const *words)
{
	char list[256] = "";
	size_t used = 0;

	for (int i = 0; words[i] && used < sizeof(list); i++)
		used += snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
	msg_error("%s:%u: %s=%s is not modelled; modelled: %s", line->path, line->number,
		  line->name, line->value ? line->value : "", list);
	return -EINVAL;
}

static int apply_name(const struct fio_line *line, char *name)
{
	if (strlen(line->value) >= FIO_NAME_MAX)
		return bad_value(line, "name too long");
	if (strchr(line->value, ':'))
		return bad_value(line, "several files in one job are not modelled");
	strcpy(name, line->value);
	return 0;
}

static int apply_count(const struct fio_option *o, const struct fio_line *line, uint32_t *count)
{
	uint64_t value;

	if (fio_number(line->value, &value))
		return bad_value(line, "not a whole number");
	if (value < o->low || value > o->high) {
		msg_error("%s:%u: %s=%s is out of range: %u to %u", line->path, line->number,
			  line->name, line->value, o->low, o->high);
		return -EINVAL;
	}
	*count = value;
	return 0;
}

static int apply_rw(struct fio_job *job, const struct fio_line *line)
{
	static const char *const words[] = {"read", "write",	 "randread", "randwrite",
					    "rw",   "readwrite", "randrw",   NULL};
	int i = find_word(words, line->value);

	if (i < 0)
		return refuse_word(line, words);
	job->random = !strncmp(words[i], "rand", 4);
	job->has_read = i == 0 || i == 2 || i >= 4;
	job->has_write = i == 1 || i == 3 || i >= 4;
	return 0;
}

static int apply_rwmixwrite(struct fio_job *job, const struct fio_line *line)
{
	static const struct fio_option range = {.high = 100};
	uint32_t percent;

	if (apply_count(&range, line, &percent))
		return -EINVAL;
	job->rwmixread = 100 - percent;
	return 0;
}

static int apply_randseed(struct fio_job *job, const struct fio_line *line)
{
	if (fio_number(line->value, &job->randseed))
		return bad_value(line, "not a whole number");
	job->has_randseed = true;
	return 0;
}

static int apply_rate_process(struct fio_job *job, const struct fio_line *line)
{
	static const char *const words[] = {"linear", "poisson", NULL};
	int i = find_word(words, line->value);

	if (i < 0)
		return refuse_word(line, words);
	job->poisson = i == 1;
	return 0;
}

#define AT(field) .offset = offsetof(struct fio_job, field)
#define WORDS(...)                                                                                 \
	.words = (const char *const[])                                                             \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define MAP(...)                                                                                   \
	.map = (const uint32_t[])                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define HARMLESS(n)                                                                                \
	{                                                                                          \
		.name = n, .kind = FIO_HARMLESS                                                    \
	}
#define FIXED(n, ...)                                                                              \
	{                                                                                          \
		.name = n, .kind = FIO_FIXED, WORDS(__VA_ARGS__)                                   \
	}

/* clang-format off */
static const struct fio_option options[] = {
	/* What is done */
	{ .name = "ioengine", .kind = FIO_WORD, AT(engine),
	  WORDS("psync", "sync", "pvsync", "pvsync2", "libaio", "io_uring"),
	  MAP(FIO_SYNC_ENGINE, FIO_SYNC_ENGINE, FIO_SYNC_ENGINE, FIO_SYNC_ENGINE, FIO_ASYNC_ENGINE,
	      FIO_ASYNC_ENGINE) },
	{ .name = "rw", .alias = "readwrite", .kind = FIO_SPECIAL, .apply = apply_rw },
	{ .name = "rwmixread", .kind = FIO_COUNT, AT(rwmixread), .high = 100 },
	{ .name = "rwmixwrite", .kind = FIO_SPECIAL, .apply = apply_rwmixwrite },
	{ .name = "bs", .alias = "blocksize", .kind = FIO_SIZE_PAIR, AT(bs_bytes) },
	{ .name = "size", .kind = FIO_SIZE, AT(size_bytes) },
	{ .name = "io_size", .alias = "io_limit", .kind = FIO_SIZE, AT(io_size_bytes) },
	{ .name = "filesize", .alias = "file_size", .kind = FIO_SIZE, AT(filesize_bytes) },
	{ .name = "offset", .alias = "fileoffset", .kind = FIO_SIZE, AT(offset_bytes) },
	{ .name = "offset_increment", .kind = FIO_SIZE, AT(offset_increment_bytes) },
	{ .name = "number_ios", .kind = FIO_COUNT64, AT(number_ios) },
	{ .name = "iodepth", .kind = FIO_COUNT, AT(iodepth), .low = 1, .high = 65535 },
	{ .name = "numjobs", .kind = FIO_COUNT, AT(numjobs), .low = 1, .high = 4096 },
	{ .name = "loops", .kind = FIO_COUNT, AT(loops), .low = 1, .high = UINT32_MAX },
	{ .name = "direct", .kind = FIO_BOOL, AT(direct) },
	{ .name = "buffered", .kind = FIO_NOT_BOOL, AT(direct) },
	{ .name = "fsync", .kind = FIO_COUNT, AT(fsync_every), .high = UINT32_MAX },
	{ .name = "fdatasync", .kind = FIO_COUNT, AT(fdatasync_every), .high = UINT32_MAX },
	{ .name = "end_fsync", .kind = FIO_BOOL, AT(end_fsync) },
	{ .name = "fsync_on_close", .kind = FIO_BOOL, AT(fsync_on_close) },
	{ .name = "invalidate", .kind = FIO_BOOL, AT(invalidate) },
	{ .name = "fadvise_hint", .kind = FIO_WORD, AT(hint),
	  WORDS("1", "0", "random", "sequential"),
	  MAP(FIO_HINT_BY_TYPE, FIO_HINT_NONE, FIO_HINT_RANDOM, FIO_HINT_SEQUENTIAL) },

	/* On which files */
	{ .name = "filename", .kind = FIO_NAME, AT(filename) },
	{ .name = "directory", .kind = FIO_NAME, AT(directory) },
	{ .name = "fallocate", .kind = FIO_WORD, AT(fallocate),
	  WORDS("native", "posix", "truncate", "1", "none", "0"),
	  MAP(FIO_FALLOCATE_NATIVE, FIO_FALLOCATE_NATIVE, FIO_FALLOCATE_NATIVE,
	      FIO_FALLOCATE_NATIVE, FIO_FALLOCATE_NONE, FIO_FALLOCATE_NONE) },
	{ .name = "create_on_open", .kind = FIO_BOOL, AT(create_on_open) },
	FIXED("nrfiles", "1"),

	/* When */
	{ .name = "runtime", .alias = "timeout", .kind = FIO_SECONDS, AT(runtime_ns) },
	{ .name = "time_based", .kind = FIO_FLAG, AT(time_based) },
	{ .name = "ramp_time", .kind = FIO_SECONDS, AT(ramp_ns) },
	{ .name = "startdelay", .alias = "start_delay", .kind = FIO_SECONDS, AT(start_delay_ns) },
	{ .name = "stonewall", .alias = "wait_for_previous", .kind = FIO_FLAG, AT(stonewall) },
	{ .name = "thinktime", .kind = FIO_MICROSECONDS, AT(thinktime_ns) },
	{ .name = "thinktime_blocks", .kind = FIO_COUNT, AT(thinktime_blocks), .low = 1,
	  .high = UINT32_MAX },
	{ .name = "rate_iops", .kind = FIO_COUNT_PAIR, AT(rate_iops) },
	{ .name = "rate", .kind = FIO_SIZE_PAIR, AT(rate_bytes) },
	{ .name = "rate_process", .kind = FIO_SPECIAL, .apply = apply_rate_process },

	/* Random offsets: the sequence is ours, not fio's, so how fio draws cannot matter */
	{ .name = "randseed", .kind = FIO_SPECIAL, .apply = apply_randseed },
	{ .name = "norandommap", .kind = FIO_FLAG, AT(norandommap) },
	HARMLESS("randrepeat"), HARMLESS("allrandrepeat"), HARMLESS("random_generator"),
	HARMLESS("softrandommap"), HARMLESS("use_os_rand"),

	/* Modelled as what they are by default */
	FIXED("random_distribution", "random"), FIXED("percentage_random", "100"),
	FIXED("file_service_type", "roundrobin", "random", "sequential"), FIXED("openfiles", "1"),
	FIXED("rw_sequencer", "sequential"), FIXED("bs_unaligned", "0"), FIXED("sync", "0", "none"),
	FIXED("io_submit_mode", "inline"), FIXED("iodepth_batch", "1"),
	FIXED("iodepth_batch_submit", "1"), FIXED("iodepth_batch_complete", "1"),
	FIXED("iodepth_batch_complete_min", "1"), FIXED("serialize_overlap", "0"),
	FIXED("verify", "0", "none"), FIXED("file_append", "0"), FIXED("fill_device", "0"),
	FIXED("pre_read", "0"), FIXED("thinktime_spin", "0"), FIXED("rate_min", "0"),
	FIXED("rate_iops_min", "0"), FIXED("thinktime_blocks_type", "complete"),
	FIXED("exitall", "0"), FIXED("unlink_each_loop", "0"), FIXED("kb_base", "1024"),
	FIXED("filename_format", "$jobname.$jobnum.$filenum"), FIXED("unique_filename", "1"),
	FIXED("zonemode", "none"), FIXED("atomic", "0"), FIXED("hipri", "0"),
	FIXED("fixedbufs", "0"), FIXED("registerfiles", "0"), FIXED("sqthread_poll", "0"),
	FIXED("write_barrier", "0"), FIXED("trim_percentage", "0"), FIXED("max_latency", "0"),
	FIXED("create_only", "0"),

	/* What is measured and printed */
	HARMLESS("name"), HARMLESS("description"), HARMLESS("group_reporting"), HARMLESS("new_group"),
	HARMLESS("stats"), HARMLESS("per_job_logs"), HARMLESS("write_bw_log"),
	HARMLESS("write_lat_log"), HARMLESS("write_iops_log"), HARMLESS("write_hist_log"),
	HARMLESS("write_iolog"), HARMLESS("bwavgtime"), HARMLESS("iopsavgtime"),
	HARMLESS("log_entries"), HARMLESS("log_avg_msec"), HARMLESS("log_hist_msec"),
	HARMLESS("log_hist_coarseness"), HARMLESS("log_max_value"), HARMLESS("log_offset"),
	HARMLESS("log_prio"), HARMLESS("log_compression"), HARMLESS("log_compression_cpus"),
	HARMLESS("log_store_compressed"), HARMLESS("log_unix_epoch"),
	HARMLESS("log_alternate_epoch"), HARMLESS("log_alternate_epoch_clock_id"),
	HARMLESS("block_error_percentiles"), HARMLESS("clat_percentiles"),
	HARMLESS("lat_percentiles"), HARMLESS("slat_percentiles"), HARMLESS("percentile_list"),
	HARMLESS("significant_figures"), HARMLESS("disk_util"), HARMLESS("gtod_reduce"),
	HARMLESS("disable_lat"), HARMLESS("disable_clat"), HARMLESS("disable_slat"),
	HARMLESS("disable_bw"), HARMLESS("disable_bw_measurement"), HARMLESS("clocksource"),
	HARMLESS("unified_rw_reporting"), HARMLESS("unit_base"),

	/* What the bytes are, and what is done before and after */
	HARMLESS("thread"), HARMLESS("zero_buffers"), HARMLESS("refill_buffers"),
	HARMLESS("scramble_buffers"), HARMLESS("buffer_pattern"),
	HARMLESS("buffer_compress_percentage"), HARMLESS("buffer_compress_chunk"),
	HARMLESS("dedupe_percentage"), HARMLESS("dedupe_mode"), HARMLESS("mem"), HARMLESS("iomem"),
	HARMLESS("do_verify"), HARMLESS("overwrite"), HARMLESS("create_serialize"),
	HARMLESS("create_fsync"), HARMLESS("allow_file_create"), HARMLESS("allow_mounted_write"),
	HARMLESS("unlink"), HARMLESS("continue_on_error"), HARMLESS("ignore_error"),
	HARMLESS("error_dump"), HARMLESS("exitall_on_error"), HARMLESS("userspace_reap"),
	HARMLESS("nonvectored"),
};
/* clang-format on */

static const struct fio_option *find_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!strcmp(options[i].name, name) ||
		    (options[i].alias && !strcmp(options[i].alias, name)))
			return &options[i];
	return NULL;
}

static int apply_word(const struct fio_option *o, const struct fio_line *line, uint32_t *field)
{
	int i = find_word(o->words, line->value);

	if (i < 0)
		return refuse_word(line, o->words);
	if (field)
		*field = o->map[i];
	return 0;
}

static int apply_value(struct fio_job *job, const struct fio_option *o, const struct fio_line *line)
{
	void *field = (char *)job + o->offset;
	static const char size_help[] = "not a size fio would take (4096, 4k, 16m, 1g)";
	static const char time_help[] = "not a time fio would take (30, 30s, 500ms, 2m)";

	switch (o->kind) {
	case FIO_HARMLESS:
		return 0;
	case FIO_FIXED:
		return apply_word(o, line, NULL);
	case FIO_FLAG:
	case FIO_BOOL:
		return apply_bool(line, field, false);
	case FIO_NOT_BOOL:
		return apply_bool(line, field, true);
	case FIO_SIZE:
		if (strchr(line->value, '%'))
			return bad_value(line, "sizes in per cent are not modelled");
		return fio_size(line->value, field) ? bad_value(line, size_help) : 0;
	case FIO_SIZE_PAIR:
		return apply_pair(line, field, fio_size);
	case FIO_COUNT_PAIR:
		return apply_pair(line, field, fio_number);
	case FIO_COUNT:
		return apply_count(o, line, field);
	case FIO_COUNT64:
		return fio_number(line->value, field) ? bad_value(line, "not a whole number") : 0;
	case FIO_SECONDS:
		return fio_time(line->value, NS_PER_SEC, field) ? bad_value(line, time_help) : 0;
	case FIO_MICROSECONDS:
		return fio_time(line->value, NS_PER_US, field) ? bad_value(line, time_help) : 0;
	case FIO_WORD:
		return apply_word(o, line, field);
	case FIO_NAME:
		return apply_name(line, field);
	case FIO_SPECIAL:
		return o->apply(job, line);
	}
	return -EINVAL;
}

int fio_job_apply(struct fio_job *job, const struct fio_line *line)
{
	const struct fio_option *o = find_option(line->name);

	if (!o) {
		msg_error(
			"%s:%u: option '%s' is not modelled: it could change the result. Remove it "
			"or see vfscope-job(5) for what is modelled",
			line->path, line->number, line->name);
		return -EINVAL;
	}
	if (o->kind == FIO_HARMLESS)
		return 0;
	if (!line->value && o->kind == FIO_FLAG) {
		*(bool *)((char *)job + o->offset) = true;
		return 0;
	}
	if (!line->value || !*line->value) {
		msg_error("%s:%u: option '%s' needs a value", line->path, line->number, line->name);
		return -EINVAL;
	}
	/* "$jobname..." is a fixed word, everything else with '$' would be substituted by fio. */
	if (strchr(line->value, '$') && o->kind != FIO_FIXED)
		return bad_value(line, "variables are not expanded here: write the value");
	return apply_value(job, o, line);
}

void fio_job_defaults(struct fio_job *job)
{
	*job = (struct fio_job){
		.has_read = true,
		.bs_bytes = {4096, 4096},
		.iodepth = 1,
		.numjobs = 1,
		.loops = 1,
		.rwmixread = 50,
		.thinktime_blocks = 1,
		.invalidate = true,
	};
}

static int refuse_job(const struct fio_job *job, const char *why)
{
	msg_error("%s:%u: job [%s]: %s", job->path, job->line, job->name, why);
	return -EINVAL;
}

/* Largest sum of offsets and sizes that anything downstream has to compute with. */
#define FIO_MAX_FILE_SIZE (1ULL << 60)
#define FIO_MAX_TIME_NS (3650ULL * 86400 * NS_PER_SEC)

static int check_sizes(const struct fio_job *job)
{
	uint64_t size = job->size_bytes ? job->size_bytes : job->filesize_bytes;
	uint64_t shift;

	if (!size)
		return refuse_job(job, "no size: give size= or filesize=");
	if (size > FIO_MAX_FILE_SIZE || job->filesize_bytes > FIO_MAX_FILE_SIZE ||
	    job->offset_bytes > FIO_MAX_FILE_SIZE ||
	    __builtin_mul_overflow(job->offset_increment_bytes, job->numjobs - 1ULL, &shift) ||
	    shift > FIO_MAX_FILE_SIZE)
		return refuse_job(job, "size, filesize or offset is beyond 1 EiB");
	if (job->filesize_bytes && job->offset_bytes + shift >= job->filesize_bytes)
		return refuse_job(job, "offset lies beyond filesize");
	for (int dir = 0; dir < FIO_NR_DIRS; dir++) {
		if (!(dir == FIO_READ ? job->has_read : job->has_write))
			continue;
		if (!job->bs_bytes[dir] || job->bs_bytes[dir] > 1u << 30)
			return refuse_job(job, "bs must be 1 byte to 1 GiB");
		if (job->bs_bytes[dir] > size)
			return refuse_job(job, "bs is larger than size: nothing to do");
		if (job->direct && job->bs_bytes[dir] % 512)
			return refuse_job(job, "direct=1 needs bs in multiples of 512 bytes");
	}
	return 0;
}

int fio_job_check(const struct fio_job *job)
{
	if (job->time_based && !job->runtime_ns)
		return refuse_job(job, "time_based needs runtime=");
	if (job->runtime_ns > FIO_MAX_TIME_NS || job->ramp_ns > FIO_MAX_TIME_NS ||
	    job->start_delay_ns > FIO_MAX_TIME_NS || job->thinktime_ns > FIO_MAX_TIME_NS)
		return refuse_job(job, "a time is longer than 10 years");
	if (job->poisson && !job->rate_iops[FIO_READ] && !job->rate_iops[FIO_WRITE])
		return refuse_job(job, "rate_process=poisson needs rate_iops=");
	for (int dir = 0; dir < FIO_NR_DIRS; dir++)
		if (job->rate_iops[dir] && job->rate_bytes[dir])
			return refuse_job(job, "rate_iops and rate exclude each other");
	return check_sizes(job);
}
