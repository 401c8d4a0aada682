// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gnuplot as a child process: data goes through files in a private directory, so that a script can
 * also be run by hand on saved data.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/data_file.h"
#include "lib/msg.h"
#include "plots/gnuplot.h"

int plot_dir_make(struct plot_dir *dir)
{
	const char *tmp = getenv("TMPDIR");
	int err;

	snprintf(dir->path, sizeof(dir->path), "%.200s/vfscope-plot-XXXXXX", tmp ? tmp : "/tmp");
	if (mkdtemp(dir->path))
		return 0;
	err = -errno;
	msg_error("cannot create a directory for plot data like '%s': %s", dir->path,
		  strerror(errno));
	dir->path[0] = '\0';
	return err;
}

void plot_dir_remove(struct plot_dir *dir)
{
	char path[sizeof(dir->path) + NAME_MAX + 2];
	struct dirent *entry;
	DIR *d;

	if (!dir->path[0])
		return;
	d = opendir(dir->path);
	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir->path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir->path);
	dir->path[0] = '\0';
}

FILE *plot_dir_create(const struct plot_dir *dir, const char *name)
{
	char path[sizeof(dir->path) + 64];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%.60s", dir->path, name);
	out = fopen(path, "we");
	if (!out)
		msg_error("cannot create plot data '%s': %s", path, strerror(errno));
	return out;
}

void plot_quote(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		/* A doubled quote is one quote; control characters would end the line. */
		if (*text == '\'')
			fputc('\'', out);
		fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
	}
	fputc('\'', out);
}

static const char *terminal_of(const char *output)
{
	const char *dot = strrchr(output, '.');

	if (dot && !strcasecmp(dot, ".svg"))
		return "svg";
	if (dot && !strcasecmp(dot, ".png"))
		return "pngcairo";
	return NULL;
}

int plot_check_output(const char *output)
{
	if (terminal_of(output))
		return 0;
	msg_error("cannot tell the format of '%s': its name must end in .svg or .png", output);
	return -EINVAL;
}

static int find_script(const char *script, char *path, size_t len)
{
	char name[64];
	int err;

	snprintf(name, sizeof(name), "plots/%.40s.gp", script);
	err = data_file_find(name, path, len);
	if (err)
		msg_error("cannot find the plot script %s.gp: neither beside the program nor as "
			  "'%s'; is vfscope installed whole ('make install')?",
			  script, path);
	return err;
}

static void exec_gnuplot(const char *script, const char *settings)
{
	execlp("gnuplot", "gnuplot", "-e", settings, script, (char *)NULL);
	_exit(errno == ENOENT ? 127 : 126);
}

static int wait_for(pid_t pid, const char *output)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		msg_error("cannot plot: gnuplot is not in PATH; install gnuplot-nox");
		return -ENOENT;
	}
	msg_error("cannot draw '%s': gnuplot failed (%s %d)", output,
		  WIFSIGNALED(status) ? "signal" : "status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return -EIO;
}

int plot_run(const char *script, const struct plot_dir *dir, const char *output, unsigned int width,
	     unsigned int height)
{
	char path[PATH_MAX + 32], *settings = NULL;
	size_t len;
	pid_t pid;
	FILE *out;
	int err;

	err = find_script(script, path, sizeof(path));
	if (err)
		return err;
	out = open_memstream(&settings, &len);
	if (!out)
		return -ENOMEM;
	fprintf(out, "dir=");
	plot_quote(out, dir->path);
	fprintf(out, "; set terminal %s size %u,%u font 'sans,11' noenhanced background 'white'",
		terminal_of(output), width, height);
	fprintf(out, "; set output ");
	plot_quote(out, output);
	fclose(out);
	pid = fork();
	if (!pid)
		exec_gnuplot(path, settings);
	err = pid < 0 ? -errno : wait_for(pid, output);
	free(settings);
	return err;
}
