/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/exit.h"

#include "base/array.h"

#include <errno.h>
#include <stddef.h>
#include <sysexits.h>

/* The first row of the step that names the error; one without an error takes what is left. */
static const struct {
	enum exit_step step;
	int error, status;
} rows[] = {
	{ STEP_CONFIGURATION, -EINVAL, EX_CONFIG },
	{ STEP_CONFIGURATION, -ENOENT, EX_NOINPUT },
	{ STEP_CONFIGURATION, -ENOTDIR, EX_NOINPUT },
	{ STEP_CONFIGURATION, -ENAMETOOLONG, EX_NOINPUT },
	{ STEP_CONFIGURATION, -ELOOP, EX_NOINPUT },
	{ STEP_CONFIGURATION, -EACCES, EX_NOPERM },
	{ STEP_CONFIGURATION, -EPERM, EX_NOPERM },
	{ STEP_CONFIGURATION, -EIO, EX_IOERR },
	{ STEP_PLAN, -EINVAL, EX_CONFIG },
	{ STEP_OUTPUT, -EACCES, EX_NOPERM },
	{ STEP_OUTPUT, -EPERM, EX_NOPERM },
	{ STEP_OUTPUT, -ENOMEM, EX_OSERR },
	{ STEP_OUTPUT, -EMFILE, EX_OSERR },
	{ STEP_OUTPUT, -ENFILE, EX_OSERR },
	{ STEP_OUTPUT, 0, EX_IOERR },
	{ STEP_RUNTIME, -EACCES, EX_NOPERM },
	{ STEP_RUNTIME, -EPERM, EX_NOPERM },
	{ STEP_RUNTIME, -ENOSPC, EX_IOERR },
	{ STEP_RUNTIME, -EDQUOT, EX_IOERR },
	{ STEP_RUNTIME, -EROFS, EX_IOERR },
	{ STEP_RUNTIME, -EIO, EX_IOERR },
	{ STEP_CAPTURE, -EACCES, EX_NOPERM },
	{ STEP_CAPTURE, -EPERM, EX_NOPERM },
	{ STEP_CAPTURE, -ENODEV, EX_UNAVAILABLE },
	{ STEP_CAPTURE, -EINVAL, EX_CONFIG },
};

int exit_status_of(enum exit_step step, int error)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].step == step && (rows[i].error == error || rows[i].error == 0))
			return rows[i].status;
	return EX_OSERR;
}
