/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/message.h"

static const char *const names[MESSAGE_COUNT_] = {
	[MESSAGE_JOIN] = "join",
	[MESSAGE_RUN] = "run",
	[MESSAGE_MTU] = "mtu",
	[MESSAGE_SETTINGS] = "settings",
	[MESSAGE_ROTATE] = "rotate",
	[MESSAGE_STOP] = "stop",
	[MESSAGE_ENTERED] = "entered",
	[MESSAGE_CURATE] = "curate",
	[MESSAGE_MAPPED] = "mapped",
	[MESSAGE_JOINED] = "joined",
	[MESSAGE_TOOK_OVER] = "took over",
	[MESSAGE_LOST] = "lost",
	[MESSAGE_FAILED] = "failed",
	[MESSAGE_FINISHED] = "finished",
	[MESSAGE_REFUSED] = "refused",
	[MESSAGE_WORKS] = "works",
	[MESSAGE_DAMAGED] = "damaged",
	[MESSAGE_SET_ASIDE] = "set aside",
	[MESSAGE_REPAIRED] = "repaired",
	[MESSAGE_REMOVED] = "removed",
	[MESSAGE_LEFT] = "left",
	[MESSAGE_HEARD] = "heard",
	[MESSAGE_EXPIRED] = "expired",
	[MESSAGE_SHORT] = "short",
	[MESSAGE_ENOUGH] = "enough",
	[MESSAGE_STOPPED] = "stopped",
};

const char *message_name(uint32_t kind)
{
	return kind < MESSAGE_COUNT_ ? names[kind] : "unknown";
}
