/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/hooks.h"

#define FENTRY(EVENT, GROUP, PROGRAM, TARGET)                                                                          \
	{                                                                                                              \
		EV_##EVENT, EV_RUNG_FENTRY, GROUP, PROGRAM, TARGET, 0                                                  \
	}
#define TRACE(EVENT, PROGRAM, TARGET)                                                                                  \
	{                                                                                                              \
		EV_##EVENT, EV_RUNG_TRACEPOINT, 0, PROGRAM, TARGET, 0                                                  \
	}

const struct hook_row hook_rows[] = {
	TRACE(EXEC, "process_exec", "sched_process_exec"),
	TRACE(FORK, "process_fork", "sched_process_fork"),
	TRACE(EXIT, "process_exit", "sched_process_exit"),

	FENTRY(OPEN, 0, "do_filp_open_x", "do_filp_open"),
	FENTRY(OPEN, 0, "do_file_open_x", "do_file_open"),
	TRACE(OPEN, "sys_open", "sys_exit"),

	FENTRY(UNLINK, 0, "path_unlink_e", "security_path_unlink"),
	FENTRY(UNLINK, 1, "do_unlinkat_x", "do_unlinkat"),
	FENTRY(UNLINK, 1, "filename_unlinkat_x", "filename_unlinkat"),
	TRACE(UNLINK, "sys_unlink", "sys_exit"),

	FENTRY(RENAME, 0, "path_rename_e", "security_path_rename"),
	FENTRY(RENAME, 1, "do_renameat2_x", "do_renameat2"),
	FENTRY(RENAME, 1, "filename_renameat2_x", "filename_renameat2"),
	TRACE(RENAME, "sys_rename", "sys_exit"),

	FENTRY(MKDIR, 0, "path_mkdir_e", "security_path_mkdir"),
	FENTRY(MKDIR, 1, "do_mkdirat_x", "do_mkdirat"),
	FENTRY(MKDIR, 1, "filename_mkdirat_x", "filename_mkdirat"),
	TRACE(MKDIR, "sys_mkdir", "sys_exit"),

	FENTRY(RMDIR, 0, "path_rmdir_e", "security_path_rmdir"),
	FENTRY(RMDIR, 1, "do_rmdir_x", "do_rmdir"),
	FENTRY(RMDIR, 1, "filename_rmdir_x", "filename_rmdir"),
	TRACE(RMDIR, "sys_rmdir", "sys_exit"),

	FENTRY(LINK, 0, "path_link_e", "security_path_link"),
	FENTRY(LINK, 1, "do_linkat_x", "do_linkat"),
	FENTRY(LINK, 1, "filename_linkat_x", "filename_linkat"),
	TRACE(LINK, "sys_link", "sys_exit"),

	FENTRY(SYMLINK, 0, "path_symlink_e", "security_path_symlink"),
	FENTRY(SYMLINK, 1, "do_symlinkat_x", "do_symlinkat"),
	FENTRY(SYMLINK, 1, "filename_symlinkat_x", "filename_symlinkat"),
	TRACE(SYMLINK, "sys_symlink", "sys_exit"),

	FENTRY(CHMOD, 0, "chmod_common_x", "chmod_common"),
	TRACE(CHMOD, "sys_chmod", "sys_exit"),
	FENTRY(CHOWN, 0, "chown_common_x", "chown_common"),
	TRACE(CHOWN, "sys_chown", "sys_exit"),

	FENTRY(TRUNCATE, 0, "vfs_truncate_x", "vfs_truncate"),
	FENTRY(TRUNCATE, 1, "do_ftruncate_x", "do_ftruncate"),
	FENTRY(TRUNCATE, 1, "do_sys_ftruncate_x", "do_sys_ftruncate"),
	TRACE(TRUNCATE, "sys_truncate", "sys_exit"),

	FENTRY(CONNECT, 0, "sys_connect_file_x", "__sys_connect_file"),
	TRACE(CONNECT, "sys_connect", "sys_exit"),

	FENTRY(BIND, 0, "socket_bind_e", "security_socket_bind"),
	FENTRY(BIND, 1, "sys_bind_x", "__sys_bind"),
	{ EV_BIND, EV_RUNG_FENTRY, 2, "sys_bind_socket_x", "__sys_bind_socket", 1 },
	TRACE(BIND, "sys_bind", "sys_exit"),
};

const size_t hook_nrows = sizeof(hook_rows) / sizeof(hook_rows[0]);

const char *hook_misses(uint16_t event, uint8_t rung)
{
	if (rung == EV_RUNG_FENTRY)
		return event == EV_OPEN || event == EV_CONNECT ? "" : "refusals on the way to the last directory";
	if (event == EV_EXEC || event == EV_FORK || event == EV_EXIT)
		return "";
	if (event == EV_OPEN)
		return "io_uring; a refused open's path is the caller's string";
	if (event == EV_CONNECT || event == EV_BIND)
		return "io_uring; the address is read from user memory after the call";
	return "io_uring; the path is the caller's string, read after the call, symbolic links not resolved";
}
