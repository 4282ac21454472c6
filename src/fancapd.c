/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

int main(void)
{
	log_open("fancapd");
	return 0;
}
