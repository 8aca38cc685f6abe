# GA_WARNINGS: --enable-werror; WARNING_CFLAGS
AC_DEFUN([GA_WARNINGS], [
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make compiler warnings errors])], [],
  [enable_werror=no])
WARNING_CFLAGS="-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla"
ga_werror_text="shown"
WARNING_CXXFLAGS="-Wall -Wextra -Wshadow"
AS_IF([test "x$enable_werror" = xyes],
  [WARNING_CFLAGS="$WARNING_CFLAGS -Werror"; WARNING_CXXFLAGS="$WARNING_CXXFLAGS -Werror"; ga_werror_text="errors"])
AC_SUBST([WARNING_CXXFLAGS])
AC_SUBST([WARNING_CFLAGS])
])
