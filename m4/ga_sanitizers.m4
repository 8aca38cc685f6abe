# GA_SANITIZERS: --enable-asan, --enable-ubsan, --enable-tsan; SANITIZE_CFLAGS
AC_DEFUN([GA_SANITIZERS], [
AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])], [], [enable_asan=no])
AC_ARG_ENABLE([ubsan], [AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])], [],
  [enable_ubsan=no])
AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer])], [],
  [enable_tsan=no])
ga_sanitizers=
SANITIZE_CFLAGS=
AS_IF([test "x$enable_asan" = xyes],
  [ga_sanitizers="$ga_sanitizers address"; SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fsanitize=address"])
AS_IF([test "x$enable_ubsan" = xyes],
  [ga_sanitizers="$ga_sanitizers undefined"
   SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fsanitize=undefined -fno-sanitize-recover=all"])
AS_IF([test "x$enable_tsan" = xyes],
  [ga_sanitizers="$ga_sanitizers thread"; SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fsanitize=thread"])
AS_IF([test "x$SANITIZE_CFLAGS" != x], [SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fno-omit-frame-pointer"])
AC_SUBST([SANITIZE_CFLAGS])
AM_CONDITIONAL([SANITIZED], [test "x$SANITIZE_CFLAGS" != x])
])
