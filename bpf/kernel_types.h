/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The kernel types that the guest's BPF programs read, and every difference between kernels in
 * them.
 *
 * Only the fields we use; offsets come from the running kernel's BTF (CO-RE). Where kernels differ
 * in more than an offset, the variant is a flavour (NAME___variant, libbpf ignores what follows the
 * three underscores) and an accessor below hides it, so that programs see no drift. "typed" in a
 * comment means: the pointer comes from a probe's arguments, so that KREAD may read it
 * (bpf/guest_attach.bpf.h), which costs fentry programs one load instead of a helper call.
 */
#ifndef VFSCOPE_BPF_KERNEL_TYPES_H
#define VFSCOPE_BPF_KERNEL_TYPES_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "bpf/fuse_wire.h"
#include "bpf/guest_attach.bpf.h"
#include "bpf/guest_conn_flags.h"

#define VIRTIO_ID_FS 26 /* include/uapi/linux/virtio_ids.h */
#define IOCB_DIRECT (1 << 17) /* include/linux/fs.h, same since 5.9 */
#define IOCB_APPEND 0x10 /* RWF_APPEND */
#define FUSE_SUPER_MAGIC 0x65735546 /* include/uapi/linux/magic.h */
#define VM_SHARED 8 /* include/linux/mm.h */
#define POSIX_FADV_RANDOM 1 /* include/uapi/linux/fadvise.h */
#define POSIX_FADV_SEQUENTIAL 2
#define POSIX_FADV_WILLNEED 3
#define POSIX_FADV_DONTNEED 4
/* include/linux/fs.h, all as in 5.10 to 7.2 */
#define ATTR_MODE (1u << 0)
#define ATTR_SIZE (1u << 3)
#define ATTR_ATIME_SET (1u << 7)
#define ATTR_MTIME_SET (1u << 8)
#define S_DAX (1 << 13) /* include/linux/fs.h, with CONFIG_FS_DAX */
#define FMODE_OPENED (1u << 19) /* include/linux/fs.h */
#define EEXIST 17
#define ENOENT 2
#define EFAULT 14
#define EIOCBQUEUED 529 /* include/linux/errno.h, never seen by user space */

#define DAX_RANGE_BYTES (2u << 20) /* fs/fuse/dax.c, FUSE_DAX_SZ: same since 5.10 */

/* fs/fuse/fuse_i.h (7.2: fs/fuse/dev.h), enum fuse_req_flag; bits unchanged from 5.10 to 7.2. */
enum {
	FR_BACKGROUND = 2,
	FR_FINISHED = 9,
};

/*
 * drivers/virtio/virtio_ring.c of 7.2; bit 0 means packed. An enum, since CO-RE takes an integer
 * field for another one than an enum of the same name.
 */
enum vq_layout___v72 {
	VQ_LAYOUT_SPLIT___v72 = 0,
	VQ_LAYOUT_PACKED___v72 = 1,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct work_struct {
	void *func;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
	void *s_fs_info; /* FUSE: struct fuse_mount */
};

struct inode {
	struct super_block *i_sb;
	unsigned int i_flags;
	long long i_size;
};

struct dentry;

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
	unsigned int f_mode;
	void *private_data; /* FUSE: struct fuse_file */
};

struct address_space {
	struct inode *host;
};

enum writeback_sync_modes {
	WB_SYNC_NONE,
	WB_SYNC_ALL,
};

struct writeback_control {
	long nr_to_write;
	enum writeback_sync_modes sync_mode;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name; /* 6.15 put it into a union; same name */
	struct inode *d_inode;
};

struct dir_context {
	long long pos;
};

struct iattr {
	unsigned int ia_valid;
	long long ia_size;
};

struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
};

enum fault_flag {
	FAULT_FLAG_WRITE = 1 << 0,
	FAULT_FLAG_TRIED = 1 << 5,
};

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long pgoff;
	enum fault_flag flags; /* a plain integer until 5.13 (da2f5eb3d344) */
};

struct kiocb {
	struct file *ki_filp;
	long long ki_pos;
	int ki_flags;
};

struct iov_iter {
	unsigned long count; /* 6.4 (de4f5fed3f23) moved it into a union; same name */
};

struct fuse_inode {
	struct inode inode;
	u64 nodeid;
};

struct fuse_file {
	u32 open_flags;
};

struct fuse_in_arg {
	unsigned int size;
	const void *value;
};

/*
 * 6.18 has in_args[4] and an empty in_args[0] for operations on names; READ and WRITE keep their
 * header in in_args[0]. 7.2 inserted uid, gid and pid. Neither is visible here.
 */
struct fuse_args {
	u64 nodeid;
	u32 opcode;
	struct fuse_in_arg in_args[3];
};

struct fuse_iqueue {
	void *priv; /* virtio-fs: struct virtio_fs; NULL for every other transport */
};

struct fuse_conn {
	u32 dev; /* s_dev of the first mount */
	unsigned int minor; /* FUSE protocol */
	unsigned int max_read;
	unsigned int max_write;
	unsigned int max_pages;
	unsigned int congestion_threshold;
	unsigned int max_background; /* until 7.1; 7.2 moved it to struct fuse_chan */
	struct fuse_iqueue iq; /* until 7.1, likewise */
#define DECLARE_CONN_FLAG(field, name) unsigned int field : 1;
	GUEST_CONN_NEGOTIATED(DECLARE_CONN_FLAG)
	GUEST_CONN_LEARNED(DECLARE_CONN_FLAG)
#undef DECLARE_CONN_FLAG
	int dax_mode; /* an enum; this and dax only with CONFIG_FUSE_DAX */
	void *dax;
};

/* 7.2 split the transport's part of a connection off into struct fuse_chan. */
struct fuse_chan {
	struct fuse_conn *conn;
	struct fuse_iqueue iq;
	unsigned int max_background;
};

struct fuse_conn___chan {
	struct fuse_chan *chan;
};

struct fuse_mount {
	struct fuse_conn *fc;
};

struct fuse_dev {
	struct fuse_conn *fc; /* until 7.1 */
};

struct fuse_dev___chan {
	struct fuse_chan *chan; /* 7.2 */
};

struct fuse_out_header {
	u32 len;
	int error;
	u64 unique;
};

struct fuse_in_header {
	u32 len;
	u32 opcode;
	u64 unique;
	u64 nodeid;
	u32 pid;
};

struct fuse_req {
	struct fuse_mount *fm; /* until 7.1 */
	struct fuse_args *args;
	unsigned long flags; /* bits FR_* */
	struct {
		struct fuse_in_header h;
	} in;
	struct {
		struct fuse_out_header h;
	} out;
};

struct fuse_req___chan {
	struct fuse_chan *chan; /* 7.2 */
};

struct virtio_device_id {
	u32 device;
};

struct virtio_device {
	struct virtio_device_id id;
	u64 features;
	void *priv; /* of the driver: struct virtio_fs */
};

struct virtqueue {
	struct virtio_device *vdev;
	unsigned int index;
	unsigned int num_free;
};

/* drivers/virtio/virtio_ring.c, private to it. */
struct vring {
	unsigned int num;
};

struct vring_virtqueue_split {
	struct vring vring;
	u16 avail_idx_shadow;
};

struct vring_virtqueue {
	bool packed_ring; /* until 7.1 */
	struct vring_virtqueue_split split; /* 6.0 named the type; in a union with packed */
};

struct vring_virtqueue___layout {
	enum vq_layout___v72 layout; /* 7.2, with the in-order layouts, in place of packed_ring */
};

struct virtio_fs_vq {
	struct virtqueue *vq;
	struct work_struct done_work;
	struct fuse_dev *fud;
	long in_flight;
};

struct virtio_fs {
	struct virtio_fs_vq *vqs; /* 0: hiprio, 1: the first request queue */
	unsigned int nvqs;
	unsigned int num_request_queues;
	unsigned long window_len;
};

struct task_struct {
	int tgid;
};

struct bpf_iter__task_file {
	struct task_struct *task;
	struct file *file;
};

struct virtio_fs_forget_req {
	struct fuse_in_header ih;
};

struct virtio_fs_forget {
	struct virtio_fs_forget_req req;
};

#pragma clang attribute pop

/* True for the connection of a virtio-fs mount; other FUSE transports have no priv. Typed. */
static __always_inline bool chan_is_virtiofs(struct fuse_chan *chan)
{
	return KREAD(chan, iq.priv) != NULL;
}

static __always_inline bool conn_is_virtiofs(struct fuse_conn *fc)
{
	struct fuse_conn___chan *split = (void *)fc;

	if (bpf_core_field_exists(split->chan))
		return chan_is_virtiofs(KREAD(split, chan));
	return KREAD(fc, iq.priv) != NULL;
}

static __always_inline u32 minor_of(u32 dev)
{
	return dev & ((1u << 20) - 1); /* include/linux/kdev_t.h MINORBITS */
}

/* Connection of a queue; NULL while the device has no mount. Typed. */
static __always_inline struct fuse_conn *fsvq_conn(struct virtio_fs_vq *fsvq)
{
	struct fuse_dev___chan *split = (void *)KREAD(fsvq, fud);

	if (!split)
		return NULL;
	if (bpf_core_field_exists(split->chan)) {
		struct fuse_chan *chan = KREAD(split, chan);

		return chan ? KREAD(chan, conn) : NULL;
	}
	return KREAD(fsvq, fud, fc);
}

/* Connection of a device's hiprio queue, by that queue. Not typed, for priv has no type. */
static __always_inline struct fuse_conn *hiprio_conn(struct virtqueue *vq)
{
	struct virtio_fs *fs = BPF_CORE_READ(vq, vdev, priv);
	struct virtio_fs_vq *hiprio = BPF_CORE_READ(fs, vqs);
	struct fuse_dev *dev = BPF_CORE_READ(hiprio, fud);
	struct fuse_dev___chan *split = (void *)dev;

	if (bpf_core_field_exists(split->chan))
		return BPF_CORE_READ(split, chan, conn);
	return BPF_CORE_READ(dev, fc);
}

/* From any pointer to a request. */
static __always_inline struct fuse_conn *req_conn(struct fuse_req *req)
{
	struct fuse_req___chan *split = (void *)req;

	if (bpf_core_field_exists(split->chan))
		return BPF_CORE_READ(split, chan, conn);
	return BPF_CORE_READ(req, fm, fc);
}

/* Typed. Of any virtio device, so this is the first thing that virtqueue probes ask. */
static __always_inline bool vq_is_virtiofs(struct virtqueue *vq)
{
	return KREAD(vq, vdev, id.device) == VIRTIO_ID_FS;
}

/* The queue whose done_work this is. Address arithmetic, hence not typed: BPF_CORE_READ it. */
static __always_inline struct virtio_fs_vq *fsvq_of_done_work(struct work_struct *work)
{
	struct virtio_fs_vq *null = NULL;

	return (void *)work - __builtin_preserve_field_info(null->done_work, BPF_FIELD_BYTE_OFFSET);
}

static __always_inline bool vq_is_packed(struct virtqueue *vq)
{
	struct vring_virtqueue___layout *newer = (void *)vq;
	struct vring_virtqueue *vvq =
		(void *)vq; /* its first member, by virtio_ring.c's to_vvq() */

	if (bpf_core_field_exists(newer->layout))
		return BPF_CORE_READ(newer, layout) & 1;
	if (bpf_core_field_exists(vvq->packed_ring))
		return BPF_CORE_READ(vvq, packed_ring);
	return true; /* unknown ring: do not read it */
}

/* Whether vq_last_avail_idx() knows the ring. */
static __always_inline bool vq_is_split(struct virtqueue *vq)
{
	struct vring_virtqueue *vvq = (void *)vq;

	return bpf_core_field_exists(vvq->split.avail_idx_shadow) && !vq_is_packed(vq);
}

/* Ring index that the last added buffer got. Only under the queue's lock, only for split rings. */
static __always_inline u16 vq_last_avail_idx(struct virtqueue *vq)
{
	struct vring_virtqueue *vvq = (void *)vq;

	if (!bpf_core_field_exists(vvq->split.avail_idx_shadow))
		return 0;
	return BPF_CORE_READ(vvq, split.avail_idx_shadow) - 1;
}

/* Ring entries, 0 if unknown. */
static __always_inline u32 vq_size(struct virtqueue *vq)
{
	struct vring_virtqueue *vvq = (void *)vq;

	if (!bpf_core_field_exists(vvq->split.vring.num) || vq_is_packed(vq))
		return 0;
	return BPF_CORE_READ(vvq, split.vring.num);
}

/* Of the file system that a FUSE inode belongs to (a submount shares its parent's connection). */
static __always_inline struct fuse_conn *inode_conn(struct inode *inode)
{
	struct fuse_mount *fm = BPF_CORE_READ(inode, i_sb, s_fs_info);

	return BPF_CORE_READ(fm, fc);
}

/* The same, of an open file. Typed. */
static __always_inline struct fuse_conn *file_conn(struct file *file)
{
	struct fuse_mount *fm = KREAD(file, f_inode, i_sb, s_fs_info);

	return BPF_CORE_READ(fm, fc);
}

static __always_inline u64 inode_nodeid(struct inode *inode)
{
	struct fuse_inode *null = NULL;
	struct fuse_inode *fi =
		(void *)inode - __builtin_preserve_field_info(null->inode, BPF_FIELD_BYTE_OFFSET);

	return BPF_CORE_READ(fi, nodeid);
}

/* The file is read and written through the DAX window, not the page cache. Typed. */
static __always_inline bool inode_is_dax(struct inode *inode)
{
	return KREAD(inode, i_flags) & S_DAX;
}

/* FOPEN_* flags that the daemon gave this open FUSE file. Typed. */
static __always_inline u32 file_fopen_flags(struct file *file)
{
	struct fuse_file *ff = KREAD(file, private_data);

	return ff ? BPF_CORE_READ(ff, open_flags) : 0;
}

static __always_inline u32 conn_max_background(struct fuse_conn *fc)
{
	struct fuse_conn___chan *split = (void *)fc;

	if (bpf_core_field_exists(split->chan))
		return BPF_CORE_READ(split, chan, max_background);
	return BPF_CORE_READ(fc, max_background);
}

static __always_inline void *conn_transport(struct fuse_conn *fc)
{
	struct fuse_conn___chan *split = (void *)fc;

	if (bpf_core_field_exists(split->chan))
		return BPF_CORE_READ(split, chan, iq.priv);
	return BPF_CORE_READ(fc, iq.priv);
}

/* The first request queue of a device. Address arithmetic, hence not typed. */
static __always_inline struct virtio_fs_vq *request_fsvq(struct virtio_fs *fs)
{
	return (void *)BPF_CORE_READ(fs, vqs) + bpf_core_type_size(struct virtio_fs_vq);
}

#endif
