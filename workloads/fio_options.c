// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio options, by table. vfscope-job(5) is the same list for people.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "workloads/fio_options.h"

enum fio_kind {
	FIO_HARMLESS, /* any value: cannot change the result */
	FIO_FIXED, /* only the words in .words, which say what is modelled anyway */
	FIO_BOOL, /* bool */
	FIO_NOT_BOOL, /* bool, inverted */
	FIO_FLAG, /* bool: no value needed */
	FIO_SIZE, /* uint64_t */
	FIO_AMOUNT, /* struct fio_amount: a size or a percentage */
	FIO_SIZE_PAIR, /* uint64_t[2]: read,write[,trim] */
	FIO_COUNT_PAIR, /* the same, plain numbers */
	FIO_COUNT, /* uint32_t from .low to .high */
	FIO_COUNT64, /* uint64_t */
	FIO_SECONDS, /* uint64_t ns; a bare number is seconds */
	FIO_MICROSECONDS, /* uint64_t ns; a bare number is microseconds */
	FIO_WORD, /* uint32_t: position in .words, mapped through .map if given */
	FIO_LIST, /* char[FIO_LIST_MAX] */
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

static int apply_bool(const struct fio_line *line, bool *value, bool invert)
{
	const char *v = line->value;

	if (!strcmp(v, "1") || !strcasecmp(v, "true"))
		*value = !invert;
	else if (!strcmp(v, "0") || !strcasecmp(v, "false"))
		*value = invert;
	else
		return fio_bad_value(line, "write 0 or 1");
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
	msg_error("%s:%u: %s=%.200s is not modelled; modelled: %s", line->path, line->number,
		  line->name, line->value ? line->value : "", list);
	return -EINVAL;
}

/* A backslash would take the meaning of the ':' between names: nobody needs it. */
static int apply_name(const struct fio_line *line, char *name, size_t max)
{
	if (strlen(line->value) >= max)
		return fio_bad_value(line, "too long");
	if (strchr(line->value, '\\'))
		return fio_bad_value(line, "backslashes are not modelled");
	strcpy(name, line->value);
	return 0;
}

static int apply_directory(struct fio_job *job, const struct fio_line *line)
{
	if (strchr(line->value, ':'))
		return fio_bad_value(line, "several directories in one job are not modelled");
	return apply_name(line, job->directory, sizeof(job->directory));
}

enum fio_variable fio_filename_variable(const char *text, size_t *len)
{
	static const char *const names[FIO_NR_VARIABLES] = {"$jobname", "$jobnum", "$filenum",
							    "$clientuid"};
	int i = 0;

	for (; i < FIO_NR_VARIABLES; i++) {
		*len = strlen(names[i]);
		if (!strncmp(text, names[i], *len))
			break;
	}
	return i;
}

static int apply_filename_format(struct fio_job *job, const struct fio_line *line)
{
	size_t len;

	for (const char *at = strchr(line->value, '$'); at; at = strchr(at + 1, '$'))
		if (fio_filename_variable(at, &len) == FIO_NR_VARIABLES)
			return fio_bad_value(line, "want $jobname, $jobnum, $filenum and "
						   "$clientuid only");
	return apply_name(line, job->filename_format, sizeof(job->filename_format));
}

static int apply_read_iolog(struct fio_job *job, const struct fio_line *line)
{
	if (strchr(line->value, ':'))
		return fio_bad_value(line, "several logs in one job are not modelled");
	return apply_name(line, job->read_iolog, sizeof(job->read_iolog));
}

static int apply_count(const struct fio_option *o, const struct fio_line *line, uint32_t *count)
{
	uint64_t value;

	if (fio_number(line->value, &value))
		return fio_bad_value(line, "not a whole number");
	if (value < o->low || value > o->high) {
		msg_error("%s:%u: %s=%.200s is out of range: %u to %u", line->path, line->number,
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
	uint32_t percent = 0;

	if (apply_count(&range, line, &percent))
		return -EINVAL;
	job->rwmixread = 100 - percent;
	return 0;
}

static int apply_randseed(struct fio_job *job, const struct fio_line *line)
{
	if (fio_number(line->value, &job->randseed))
		return fio_bad_value(line, "not a whole number");
	job->has_randseed = true;
	return 0;
}

static int apply_bssplit(struct fio_job *job, const struct fio_line *line)
{
	return fio_apply_sizes(line, job->bs, true);
}

static int apply_bsrange(struct fio_job *job, const struct fio_line *line)
{
	return fio_apply_sizes(line, job->bs, false);
}

/* "zipf:1.2": the word, and whether something follows it. */
static int split_word(const struct fio_line *line, const char *const *words, const char **rest)
{
	char word[32];
	size_t len = strcspn(line->value, ":");
	int i;

	if (len >= sizeof(word))
		return refuse_word(line, words);
	memcpy(word, line->value, len);
	word[len] = '\0';
	i = find_word(words, word);
	if (i < 0)
		return refuse_word(line, words);
	*rest = line->value[len] ? line->value + len + 1 : NULL;
	return i;
}

static int apply_distribution(struct fio_job *job, const struct fio_line *line)
{
	static const char *const words[] = {"random", "zipf", "pareto", "normal", NULL};
	static const double defaults[] = {0, 1.1, 0.2, 0};
	const char *rest;
	int kind = split_word(line, words, &rest);
	double value;

	if (kind < 0)
		return kind;
	value = defaults[kind];
	if (rest && (kind == POPULARITY_UNIFORM || parse_double(rest, &value)))
		return fio_bad_value(line, "not a number behind the colon");
	if (kind == POPULARITY_ZIPF && (value <= 0 || value > 100 || value == 1))
		return fio_bad_value(line, "theta must be above 0, at most 100, and not 1");
	if (kind == POPULARITY_PARETO && (value <= 0 || value >= 1))
		return fio_bad_value(line, "the parameter must be above 0 and below 1");
	if (kind == POPULARITY_NORMAL && (value < 0 || value >= 100))
		return fio_bad_value(line, "the deviation must be 0 to below 100 percent");
	job->distribution = kind;
	job->distribution_parameter = value;
	return 0;
}

static int apply_service(struct fio_job *job, const struct fio_line *line)
{
	static const char *const words[] = {"roundrobin", "random", "sequential", NULL};
	const char *rest;
	int service = split_word(line, words, &rest);
	uint64_t count = 1;

	if (service < 0)
		return service;
	if (rest && (fio_number(rest, &count) || !count || count > UINT32_MAX))
		return fio_bad_value(line, "not a number of I/Os above 0 behind the colon");
	job->service = service;
	job->service_count = count;
	return 0;
}

static int apply_thinktime_blocks(struct fio_job *job, const struct fio_line *line)
{
	static const struct fio_option range = {.low = 1, .high = UINT32_MAX};

	job->has_thinktime_blocks = true;
	return apply_count(&range, line, &job->thinktime_blocks);
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
	  WORDS("psync", "sync", "pvsync", "pvsync2", "libaio", "io_uring", "mmap"),
	  MAP(FIO_PSYNC_ENGINE, FIO_SYNC_ENGINE, FIO_PVSYNC_ENGINE, FIO_PVSYNC2_ENGINE, FIO_LIBAIO_ENGINE,
	      FIO_IO_URING_ENGINE, FIO_MMAP_ENGINE) },
	{ .name = "rw", .alias = "readwrite", .kind = FIO_SPECIAL, .apply = apply_rw },
	{ .name = "rwmixread", .kind = FIO_COUNT, AT(rwmixread), .high = 100 },
	{ .name = "rwmixwrite", .kind = FIO_SPECIAL, .apply = apply_rwmixwrite },
	{ .name = "bs", .alias = "blocksize", .kind = FIO_SIZE_PAIR, AT(bs_bytes) },
	{ .name = "bssplit", .kind = FIO_SPECIAL, .apply = apply_bssplit },
	{ .name = "bsrange", .alias = "blocksize_range", .kind = FIO_SPECIAL,
	  .apply = apply_bsrange },
	{ .name = "size", .kind = FIO_AMOUNT, AT(size) },
	{ .name = "io_size", .alias = "io_limit", .kind = FIO_AMOUNT, AT(io_size) },
	{ .name = "filesize", .alias = "file_size", .kind = FIO_SIZE, AT(filesize_bytes) },
	{ .name = "offset", .alias = "fileoffset", .kind = FIO_AMOUNT, AT(offset) },
	{ .name = "offset_increment", .kind = FIO_AMOUNT, AT(offset_increment) },
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
	{ .name = "filename", .kind = FIO_LIST, AT(filename) },
	{ .name = "directory", .kind = FIO_SPECIAL, .apply = apply_directory },
	{ .name = "filename_format", .kind = FIO_SPECIAL, .apply = apply_filename_format },
	{ .name = "nrfiles", .alias = "nr_files", .kind = FIO_COUNT, AT(nrfiles), .low = 1,
	  .high = FIO_MAX_FILES },
	{ .name = "openfiles", .kind = FIO_COUNT, AT(openfiles), .high = UINT32_MAX },
	{ .name = "file_service_type", .kind = FIO_SPECIAL, .apply = apply_service },
	{ .name = "fallocate", .kind = FIO_WORD, AT(fallocate),
	  WORDS("native", "posix", "truncate", "1", "none", "0"),
	  MAP(FIO_FALLOCATE_NATIVE, FIO_FALLOCATE_NATIVE, FIO_FALLOCATE_NATIVE,
	      FIO_FALLOCATE_NATIVE, FIO_FALLOCATE_NONE, FIO_FALLOCATE_NONE) },
	{ .name = "create_on_open", .kind = FIO_BOOL, AT(create_on_open) },
	{ .name = "create_only", .kind = FIO_BOOL, AT(create_only) },

	/* What another run did */
	{ .name = "read_iolog", .kind = FIO_SPECIAL, .apply = apply_read_iolog },
	{ .name = "replay_no_stall", .kind = FIO_BOOL, AT(replay_no_stall) },
	{ .name = "replay_time_scale", .kind = FIO_COUNT, AT(replay_time_scale), .low = 1,
	  .high = 1000000 },
	FIXED("replay_align", "0"), FIXED("replay_scale", "0", "1"), HARMLESS("read_iolog_chunked"),

	/* When */
	{ .name = "runtime", .alias = "timeout", .kind = FIO_SECONDS, AT(runtime_ns) },
	{ .name = "time_based", .kind = FIO_FLAG, AT(time_based) },
	{ .name = "ramp_time", .kind = FIO_SECONDS, AT(ramp_ns) },
	{ .name = "startdelay", .alias = "start_delay", .kind = FIO_SECONDS, AT(start_delay_ns) },
	{ .name = "stonewall", .alias = "wait_for_previous", .kind = FIO_FLAG, AT(stonewall) },
	{ .name = "thinktime", .kind = FIO_MICROSECONDS, AT(thinktime_ns) },
	{ .name = "thinktime_blocks", .kind = FIO_SPECIAL, .apply = apply_thinktime_blocks },
	{ .name = "thinktime_iotime", .kind = FIO_MICROSECONDS, AT(thinktime_iotime_ns) },
	{ .name = "rate_iops", .kind = FIO_COUNT_PAIR, AT(rate_iops) },
	{ .name = "rate", .kind = FIO_SIZE_PAIR, AT(rate_bytes) },
	{ .name = "rate_process", .kind = FIO_SPECIAL, .apply = apply_rate_process },

	/* Random offsets: the sequence is ours, not fio's, so how fio draws cannot matter */
	{ .name = "randseed", .kind = FIO_SPECIAL, .apply = apply_randseed },
	{ .name = "norandommap", .kind = FIO_FLAG, AT(norandommap) },
	{ .name = "random_distribution", .kind = FIO_SPECIAL, .apply = apply_distribution },
	HARMLESS("randrepeat"), HARMLESS("allrandrepeat"), HARMLESS("random_generator"),
	HARMLESS("softrandommap"), HARMLESS("use_os_rand"),

	/* Modelled as what they are by default */
	FIXED("percentage_random", "100"),
	FIXED("rw_sequencer", "sequential"), FIXED("bs_unaligned", "0"), FIXED("sync", "0", "none"),
	FIXED("io_submit_mode", "inline"), FIXED("iodepth_batch", "1"),
	FIXED("iodepth_batch_submit", "1"), FIXED("iodepth_batch_complete", "1"),
	FIXED("iodepth_batch_complete_min", "1"), FIXED("serialize_overlap", "0"),
	FIXED("verify", "0", "none"), FIXED("file_append", "0"), FIXED("fill_device", "0"),
	FIXED("pre_read", "0"), FIXED("thinktime_spin", "0"), FIXED("rate_min", "0"),
	FIXED("rate_iops_min", "0"), FIXED("thinktime_blocks_type", "complete", "issue"),
	FIXED("exitall", "0"), FIXED("unlink_each_loop", "0"), FIXED("kb_base", "1024"),
	FIXED("unique_filename", "1"),
	FIXED("zonemode", "none"), FIXED("atomic", "0"), FIXED("hipri", "0"),
	FIXED("fixedbufs", "0"), FIXED("registerfiles", "0"), FIXED("sqthread_poll", "0"),
	FIXED("thp", "0"), FIXED("write_barrier", "0"), FIXED("trim_percentage", "0"), FIXED("max_latency", "0"),

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
		return fio_size(line->value, field) ? fio_bad_value(line, size_help) : 0;
	case FIO_AMOUNT:
		return fio_apply_size(line, field);
	case FIO_SIZE_PAIR:
		return fio_apply_pair(line, field, fio_size);
	case FIO_COUNT_PAIR:
		return fio_apply_pair(line, field, fio_number);
	case FIO_COUNT:
		return apply_count(o, line, field);
	case FIO_COUNT64:
		return fio_number(line->value, field) ? fio_bad_value(line, "not a whole number")
						      : 0;
	case FIO_SECONDS:
		return fio_time(line->value, NS_PER_SEC, field) ? fio_bad_value(line, time_help)
								: 0;
	case FIO_MICROSECONDS:
		return fio_time(line->value, NS_PER_US, field) ? fio_bad_value(line, time_help) : 0;
	case FIO_WORD:
		return apply_word(o, line, field);
	case FIO_LIST:
		return apply_name(line, field, FIO_LIST_MAX);
	case FIO_SPECIAL:
		return o->apply(job, line);
	}
	return -EINVAL;
}

int fio_job_apply(struct fio_job *job, const struct fio_line *line)
{
	const struct fio_option *o = find_option(line->name);

	if (!o) {
		msg_error("%s:%u: option '%.60s' is not modelled: it could change the result. "
			  "Remove it "
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
		msg_error("%s:%u: option '%.60s' needs a value", line->path, line->number,
			  line->name);
		return -EINVAL;
	}
	/* "$jobname..." is fio's own word, everything else with '$' would be substituted by it. */
	if (strchr(line->value, '$') && o->apply != apply_filename_format)
		return fio_bad_value(line, "variables are not expanded here: write the value");
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
		.nrfiles = 1,
		.service_count = 1,
		.replay_time_scale = 100,
		.invalidate = true,
	};
}
