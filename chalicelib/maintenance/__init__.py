"""Operations that scheduled functions and operators run."""
