from horae.flower import client_app

app = client_app()
