"""When things happen: the Prefect flows. Nothing else imports prefect."""
