# SPDX-License-Identifier: GPL-2.0-or-later

# FANCAP_TRY_FLAGS(VARIABLE, FLAGS): add each flag that the compiler and linker take without a word.
AC_DEFUN([FANCAP_TRY_FLAGS], [
	fancap_cflags=$CFLAGS
	for flag in $2; do
		AC_MSG_CHECKING([whether $CC takes $flag])
		CFLAGS="$fancap_cflags -Werror $flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [])],
			[AC_MSG_RESULT([yes]); $1="$$1 $flag"], [AC_MSG_RESULT([no])])
	done
	CFLAGS=$fancap_cflags
])

# FANCAP_WARNINGS: a strict set; an error only where --enable-werror asks for it (CI does).
AC_DEFUN([FANCAP_WARNINGS], [
	FANCAP_TRY_FLAGS([FANCAP_CFLAGS], [-Wall -Wextra -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Wmissing-declarations -Wold-style-definition -Wpointer-arith \
		-Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wnull-dereference -Wswitch-enum \
		-Wimplicit-fallthrough -Wduplicated-cond -Wlogical-op -Wdate-time -Werror=implicit \
		-Wno-missing-field-initializers])
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])])
	AS_IF([test "$enable_werror" = yes], [FANCAP_CFLAGS="$FANCAP_CFLAGS -Werror"])
	AC_SUBST([FANCAP_CFLAGS])
])

# FANCAP_HARDENING: position independent, full RELRO, stack protector, fortified, control flow.
AC_DEFUN([FANCAP_HARDENING], [
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening], [without PIE, RELRO and the like])])
	AS_IF([test "$enable_hardening" != no], [
		FANCAP_TRY_FLAGS([HARDENING], [-fPIE -fstack-protector-strong -fstack-clash-protection \
			-fcf-protection])
		FANCAP_TRY_FLAGS([HARDENING_LINK], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack])
		dnl Not for the sanitizers, which look at the calls themselves; nor where the C library
		dnl warns that nothing is optimized.
		AS_IF([test "$enable_sanitizers" != yes], [
			FANCAP_TRY_FLAGS([HARDENING], [-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=2])
			AC_DEFINE([WITH_HARDENING], [1], [built with every hardening flag that the compiler takes])
		])
	])
	FANCAP_CFLAGS="$FANCAP_CFLAGS $HARDENING"
	AC_SUBST([FANCAP_LDFLAGS], ["$HARDENING_LINK"])
])

# FANCAP_SANITIZERS: address and undefined behaviour.
AC_DEFUN([FANCAP_SANITIZERS], [
	AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers], [run under ASan and UBSan])])
	AS_IF([test "$enable_sanitizers" = yes], [
		FANCAP_CFLAGS="$FANCAP_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
		FANCAP_LDFLAGS="$FANCAP_LDFLAGS -fsanitize=address,undefined"
		AC_DEFINE([WITH_SANITIZERS], [1], [built with ASan and UBSan, whose runtime makes system calls of its own])
	])
])

# FANCAP_SYSTEMD_DIR(VARIABLE, FROM, BELOW): --with-VARIABLE, else what systemd.pc says where it
# lies below the prefix that is asked for, else PREFIX/lib/BELOW; so that an install to a prefix
# of one's own stays in it (make distcheck does that).
AC_DEFUN([FANCAP_SYSTEMD_DIR], [
	AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [where systemd looks for its $3])],
		[$1=$withval],
		[AS_IF([test -n "$$2" && { test "$prefix" = NONE || test "$prefix" = /usr; } && test -z "$DISTCHECK_BUILD"],
			[$1=$$2], [$1='${prefix}/lib/$3'])])
	AC_SUBST([$1])
])

# FANCAP_SYSTEMD_VERSION: for which systemd the unit is made: --with-systemd-version, else the one
# that is here.
AC_DEFUN([FANCAP_SYSTEMD_VERSION], [
	AC_MSG_CHECKING([for which systemd the unit is made])
	AC_ARG_WITH([systemd-version], [AS_HELP_STRING([--with-systemd-version=N],
		[the systemd that runs the unit, such as 254; default: the one that is here])],
		[SYSTEMD_VERSION=$withval],
		[SYSTEMD_VERSION=`$PKG_CONFIG --modversion systemd 2>/dev/null ||
			$PKG_CONFIG --modversion libsystemd`])
	dnl 255.4, or 257~rc1
	SYSTEMD_VERSION=`expr "$SYSTEMD_VERSION" : '\([[0-9]]*\)'`
	AS_IF([test -z "$SYSTEMD_VERSION"], [AC_MSG_ERROR([no number; give --with-systemd-version])])
	AC_MSG_RESULT([$SYSTEMD_VERSION])
	AC_SUBST([SYSTEMD_VERSION])
])
