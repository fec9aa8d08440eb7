"""Operations that schedules and operators run."""
