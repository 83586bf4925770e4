from horae.flower import server_app

app = server_app()
