// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio's mmap engine (engines/mmap.c of fio 3.33) as a stream around the job's own.
 *
 * Before an I/O that does not fit into what it has mapped, fio unmaps that and maps the file's
 * io_size bytes, from the file's start; memory is then copied, and a sync is msync() of it all.
 * What is odd about it is kept, since the same job file must mean the same:
 * - Closing does not unmap: each open's mapping stays until the process ends.
 * - With offset= the I/O goes to where it would be without, but whether it fits is decided with the
 *   offset: then fio maps anew for nearly every I/O.
 * - direct=1 is msync() of the I/O's range, of a read too unless the job only reads; the file is
 *   opened with O_DIRECT.
 * - Its madvise() is SEQUENTIAL or RANDOM by rw=, whatever fadvise_hint says unless that is 0. Its
 *   posix_madvise(DONTNEED) does nothing in glibc.
 */
#include <stdlib.h>
#include "lib/compiler.h"
#include "workloads/fio_mmap.h"

#define MAX_PENDING 3 /* unmap, map, and the I/O or sync */

struct mapped_file {
	bool is_mapped;
	uint64_t start_bytes; /* offset=, of this process */
	uint64_t length_bytes;
};

struct fio_mmap_stream {
	struct op_stream base;
	struct op_stream *inner;
	struct mapped_file *files; /* by number in the workload */
	uint64_t last_offset_bytes; /* of an I/O: syncs go through the same checks with it */
	uint32_t last_size_bytes;
	uint32_t map_flags;
	bool sync_each;
	struct workload_op pending[MAX_PENDING];
	uint32_t nr_pending;
	uint32_t next_pending;
};

static struct workload_op *add(struct fio_mmap_stream *s, enum op_type type, uint32_t file)
{
	struct workload_op *op = &s->pending[s->nr_pending++];

	*op = (struct workload_op){.type = type, .file = file};
	return op;
}

/* fio_mmapio_prep() */
static void prepare(struct fio_mmap_stream *s, uint32_t file)
{
	struct mapped_file *f = &s->files[file];
	struct workload_op *op;

	if (f->is_mapped && s->last_offset_bytes + s->last_size_bytes <= f->length_bytes)
		return;
	if (f->is_mapped)
		add(s, OP_MUNMAP, file);
	op = add(s, OP_MMAP, file);
	/* What lies behind is never touched: beyond 4 GiB it makes no difference to map it too. */
	op->size_bytes = f->length_bytes <= UINT32_MAX ? f->length_bytes : 0;
	op->flags = s->map_flags;
	f->is_mapped = true;
}

static void add_data(struct fio_mmap_stream *s, const struct workload_op *inner)
{
	struct mapped_file *f = &s->files[inner->file];
	struct workload_op *op;

	s->last_offset_bytes = inner->offset_bytes;
	s->last_size_bytes = inner->size_bytes;
	prepare(s, inner->file);
	op = add(s, OP_MMAP_FAULT, inner->file);
	op->offset_bytes = inner->offset_bytes - f->start_bytes;
	op->size_bytes = inner->size_bytes;
	if (inner->type == OP_WRITE)
		op->flags |= OP_FAULT_WRITE;
	if (s->sync_each)
		op->flags |= OP_SYNCED;
}

static void expand(struct fio_mmap_stream *s, const struct workload_op *inner)
{
	struct workload_op *op;

	s->nr_pending = s->next_pending = 0;
	switch (inner->type) {
	case OP_READ:
	case OP_WRITE:
		add_data(s, inner);
		break;
	case OP_FSYNC:
	case OP_FDATASYNC:
		prepare(s, inner->file);
		add(s, OP_MSYNC, inner->file);
		break;
	default:
		s->files[inner->file].is_mapped = false;
		op = add(s, inner->type, inner->file);
		op->flags = inner->flags;
	}
	/* When it is done, and what is dropped before: before the first step. */
	op = &s->pending[0];
	op->think_ns = inner->think_ns;
	op->not_before_ns = inner->not_before_ns;
	op->flags |= inner->flags & OP_INVALIDATE;
}

static int next_op(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct fio_mmap_stream *s = (struct fio_mmap_stream *)stream;

	if (s->next_pending == s->nr_pending) {
		struct workload_op inner;
		int rc = s->inner->next(s->inner, now_ns, &inner);

		if (rc != OP_STREAM_OP)
			return rc;
		expand(s, &inner);
	}
	*op = s->pending[s->next_pending++];
	return OP_STREAM_OP;
}

static void free_stream(struct op_stream *stream)
{
	struct fio_mmap_stream *s = (struct fio_mmap_stream *)stream;

	s->inner->free(s->inner);
	free(s->files);
	free(s);
}

struct op_stream *fio_mmap_stream_new(struct op_stream *inner, const struct fio_job *job,
				      const struct fio_process_setup *setup)
{
	struct fio_mmap_stream *s = calloc(1, sizeof(*s));
	struct fio_region region;
	uint32_t most = 0;

	for (uint32_t i = 0; i < fio_job_files(job); i++)
		most = max_u64(most, setup->files[i]);
	if (s)
		s->files = calloc(most + 1, sizeof(*s->files));
	if (!s || !s->files) {
		free(s);
		inner->free(inner);
		return NULL;
	}
	fio_job_region(job, setup->process, &region);
	for (uint32_t i = 0; i < fio_job_files(job); i++)
		s->files[setup->files[i]] = (struct mapped_file){
			.start_bytes = region.start_bytes, .length_bytes = region.length_bytes};
	s->base.next = next_op;
	s->base.free = free_stream;
	s->inner = inner;
	/* A job that only reads opens the file so, and msync() passes over such mappings. */
	s->sync_each = job->direct && job->has_write;
	s->map_flags = OP_REQUIRED;
	if (job->hint != FIO_HINT_NONE)
		s->map_flags |= job->random ? OP_HINT_RANDOM : OP_HINT_SEQUENTIAL;
	return &s->base;
}
